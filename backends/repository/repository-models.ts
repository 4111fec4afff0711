import { availableParallelism } from 'node:os';
import type { KnownModels } from '../ensemble/find-members.ts';
import type { Servable } from '../servable.ts';
import { HandoverBook } from './handover.ts';
import type { Look, ModelLook } from './look.ts';
import { RepositoryNotices } from './repository-notices.ts';
import type { RepositoryOptions } from './repository-options.ts';
import { RequestedModels } from './requested-models.ts';
import { SeenModels } from './seen-models.ts';
import { ServedModels } from './served-models.ts';
import { threadShare } from './thread-share.ts';
import { Turns } from './turns.ts';

/** What the folders hold, what is wished of it, and what is served: what the start, a poll and a request for a load have in common. */
export class RepositoryModels {
  readonly options: RepositoryOptions;
  readonly seen: SeenModels;
  readonly served: ServedModels;
  readonly known: KnownModels;
  readonly requested: RequestedModels;
  readonly turns = new Turns();
  readonly notices: RepositoryNotices;
  readonly handover: HandoverBook;

  constructor(options: RepositoryOptions) {
    this.options = options;
    this.seen = new SeenModels(options.roots);
    this.known = {
      served: (name) => this.served.get(name),
      names: () => this.seen.names,
      config: (name) => this.seen.config(name),
    };
    this.requested = new RequestedModels(this.known);
    this.notices = new RepositoryNotices(options.events);
    this.served = new ServedModels(options, this.known, (directory) => this.seen.fingerprintOf(directory));
    this.handover = new HandoverBook({
      loads: () => (options.control === 'explicit' ? this.requested.standing : []),
      models: () => this.served.all,
      onHandover: (handover) => options.events.onHandover?.(handover),
    });
  }

  /** Looks at the folders, and tells what is odd about them. */
  async look(): Promise<Look> {
    const look = await this.seen.look((model) => this.requested.overrideOf(model));
    this.seen.take(look);
    this.notices.strays(look);
    return look;
  }

  /** Threads of one run where a configuration asks for no number, of all that is wished now. */
  threads(): number {
    const wished = this.seen.all.filter(
      ({ folder }) => this.options.control !== 'explicit' || this.requested.has(folder.name),
    );
    return threadShare(availableParallelism(), wished);
  }

  /** @returns the reasons of the versions that are wished and not served */
  async bringUp(name: string, seen: ModelLook, threads = this.threads()): Promise<readonly string[]> {
    const reasons = await this.served.bringUp(name, seen, threads);
    this.notices.model(name, seen);
    return reasons;
  }

  /**
   * Changes the number of a version's instances while it serves.
   *
   * @param count >= 1
   * @throws what {@link Servable.resize} throws
   */
  async scale(version: Servable, count: number): Promise<void> {
    try {
      await version.resize?.(count);
    } finally {
      // Of those that could not all be started, those that were stay.
      this.handover.noteScaled(version);
      this.handover.tell();
    }
  }

  /** Answers what is in flight, then frees every worker. */
  async close(): Promise<void> {
    await this.turns.allEnded();
    await this.served.close();
    await this.seen.close();
  }
}
