import type { RolloutTarget } from '../../experiments/rollouts/state.ts';
import { isOver } from '../../experiments/rollouts/state.ts';
import { drivenRollout, variantOf } from '../../experiments/rollouts/rollout-step.ts';
import type { Situation } from '../../experiments/standing/in-force.ts';
import type { Leases } from '../../experiments/stores/state-store.ts';
import type { Variant } from '../../experiments/variant.ts';

const OBJECT_EVERY_MS = 500;
/** A replica that dies objects no longer after that. */
const TTL_MS = 3000;

/** How long the others get to object before anybody is sent to what is new. */
export const OBJECTION_MS = 2 * OBJECT_EVERY_MS;

export interface ObjectionsOptions {
  readonly situations: () => readonly Situation[];
  readonly leases: Leases;
  /** Names this process; no other has the same. */
  readonly replica: string;
  /** Whether a variant of a model can answer here. */
  readonly isReady: (model: string, variant: Variant) => boolean;
}

/**
 * Whoever leads a rollout knows only of its own versions. A replica that can't answer for what is rolled out says so, by a lease that it
 * keeps as long as that is so; one at a time holds it, which is enough to hold the rollout.
 */
export class Objections {
  readonly #options: ObjectionsOptions;
  readonly #raised = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: ObjectionsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      this.#looking = this.#looking.then(() => this.#look());
    }, OBJECT_EVERY_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  /**
   * Another replica that can't answer for what is rolled out.
   *
   * @throws StoreUnavailable
   */
  async objector(experiment: string, target: RolloutTarget): Promise<string | undefined> {
    const { leases, replica } = this.#options;
    const holder = await leases.leaseHolder(leaseOf(experiment, target));
    return holder === replica ? undefined : holder;
  }

  async #look(): Promise<void> {
    const { situations, leases, replica, isReady } = this.#options;
    const wanted = new Set<string>();
    for (const situation of situations()) {
      const { experiment } = situation;
      const driven = drivenRollout(situation);
      if (driven === undefined || (driven.record !== undefined && isOver(driven.record.state))) continue;
      if (!isReady(experiment.model, variantOf(experiment, driven.plan)))
        wanted.add(leaseOf(experiment.key, driven.target));
    }
    const over = [...this.#raised].filter((lease) => !wanted.has(lease));
    // A store that is away holds the rollout itself, and lets the lease run out.
    await Promise.allSettled([
      ...[...wanted].map((lease) => leases.acquireLease(lease, replica, TTL_MS)),
      ...over.map((lease) => leases.releaseLease(lease, replica)),
    ]);
    for (const lease of over) this.#raised.delete(lease);
    for (const lease of wanted) this.#raised.add(lease);
  }
}

function leaseOf(experiment: string, { variant, version }: RolloutTarget): string {
  return `not-ready:${experiment}:${variant}:${version}`;
}
