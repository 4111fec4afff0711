import type { Logger } from 'pino';
import type { Choice } from '../../experiments/decision.ts';
import type { Experiment } from '../../experiments/definition.ts';
import { MemoryStickyAssignments } from '../../experiments/sticky-assignments.ts';
import type { StickyAssignments } from '../../experiments/sticky-assignments.ts';
import type { Landings } from '../../experiments/stores/state-store.ts';

/** How long a request waits to be told where its unit landed; then it goes on as it was split here. */
const LONGEST_WAIT_MS = 1000;

/** A store that was away, or slower than that, isn't asked again for so long. */
const REST_MS = 1000;

export interface StickyUnitsOptions {
  /** Undefined: this process' memory is all there is. */
  readonly store: Landings | undefined;
  readonly log: Pick<Logger, 'warn'>;
  /** Milliseconds; it never goes back. */
  readonly nowMs: () => number;
  readonly maxEntries?: number;
}

/**
 * Where units of sticky experiments landed. A decision reads what this process remembers, and answers at once; of a unit that
 * landed here for the first time the state store is asked before its request goes on, so that it stays where it was over
 * restarts and on every replica. Without the store's answer the request goes on, and the unit's next one asks.
 */
export class StickyUnits implements StickyAssignments {
  readonly #options: StickyUnitsOptions;
  readonly #memory: MemoryStickyAssignments;
  /** Units of which the store hasn't said yet where they landed first. */
  readonly #owed = new Set<string>();
  #restsUntilMs = -Infinity;
  #evictionTold = false;

  constructor(options: StickyUnitsOptions) {
    this.#options = options;
    this.#memory = new MemoryStickyAssignments((experiment, phase, unitHash) => {
      this.#owed.delete(keyOf(experiment, phase, unitHash));
      this.#warnOfEviction();
    }, options.maxEntries);
  }

  /** For whoever only asks what a unit would get: nobody lands by that. */
  get asked(): StickyAssignments {
    return {
      get: (experiment, phase, unitHash) => this.get(experiment, phase, unitHash),
      put: () => undefined,
    };
  }

  get(experiment: string, phase: number, unitHash: number): string | undefined {
    return this.#memory.get(experiment, phase, unitHash);
  }

  put(experiment: string, phase: number, unitHash: number, variant: string): void {
    this.#memory.put(experiment, phase, unitHash, variant);
    if (this.#options.store !== undefined) this.#owed.add(keyOf(experiment, phase, unitHash));
  }

  /**
   * Asks the store where the unit of a decision landed, where that isn't known for sure.
   *
   * @returns undefined: the decision stands. Otherwise whether it is to be made again, as the unit had landed before; it never rejects
   */
  confirm({ experiment, reason, hash }: Choice): Promise<boolean> | undefined {
    const { store, nowMs } = this.#options;
    if (store === undefined || hash === undefined || !experiment.isSticky) return undefined;
    if (reason !== 'split' && reason !== 'sticky') return undefined;
    if (!this.#owed.has(keyOf(experiment.key, experiment.phase, hash))) return undefined;
    if (nowMs() < this.#restsUntilMs) return undefined;
    return this.#ask(store, experiment, hash);
  }

  /**
   * As {@link confirm}, of a decision that was only asked for: a unit that came to another process is known, and one that hasn't come yet doesn't land. It would
   * be counted when it comes, under the weights of then.
   */
  lookUp(choice: Choice): Promise<boolean> | undefined {
    const { experiment, reason, hash } = choice;
    const { store, nowMs } = this.#options;
    if (reason !== 'split') return this.confirm(choice);
    if (store === undefined || hash === undefined || !experiment.isSticky) return undefined;
    if (nowMs() < this.#restsUntilMs) return undefined;
    const { key, phase } = experiment;
    const asked = store.landing({ experiment: key, phase }, hash).then((landed) => {
      if (landed === undefined || !keepersOf(experiment).includes(landed)) return false;
      this.#memory.put(key, phase, hash, landed);
      return true;
    });
    return this.#inTime(asked);
  }

  /** Forgets phases that are over, and variants that keep nobody any more. */
  follow(experiments: Iterable<Experiment>): void {
    const sticky = [...experiments].filter(({ isSticky }) => isSticky);
    this.#memory.retain(
      sticky.map((experiment) => ({
        experiment: experiment.key,
        phase: experiment.phase,
        variants: keepersOf(experiment),
      })),
    );
    for (const key of this.#owed) if (!this.#isRemembered(key)) this.#owed.delete(key);
  }

  #ask(store: Landings, experiment: Experiment, hash: number): Promise<boolean> | undefined {
    const { key, phase } = experiment;
    const here = this.#memory.get(key, phase, hash);
    if (here === undefined) return undefined;
    const asked = store.land({ experiment: key, phase }, hash, here, keepersOf(experiment)).then((landed) => {
      this.#owed.delete(keyOf(key, phase, hash));
      if (landed.variant !== here) this.#memory.put(key, phase, hash, landed.variant);
      return !landed.isNew;
    });
    return this.#inTime(asked);
  }

  /** What the store says, unless it is away or too slow: then the decision stands. */
  async #inTime(asked: Promise<boolean>): Promise<boolean> {
    const late = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => {
      late.resolve(undefined);
    }, LONGEST_WAIT_MS);
    try {
      const isKnown = await Promise.race([asked, late.promise]);
      if (isKnown !== undefined) return isKnown;
      asked.catch(() => undefined);
      this.#rest(`it did not answer within ${LONGEST_WAIT_MS} ms`);
    } catch (error) {
      this.#rest(error instanceof Error ? error.message : String(error));
    } finally {
      clearTimeout(timer);
    }
    return false;
  }

  #rest(reason: string): void {
    this.#restsUntilMs = this.#options.nowMs() + REST_MS;
    this.#options.log.warn(
      { reason },
      'the state store does not say where sticky units landed: those that are new here are split by the weights of now',
    );
  }

  #isRemembered(key: string): boolean {
    const [experiment = '', phase, hash] = key.split(' ');
    return this.#memory.get(experiment, Number(phase), Number(hash)) !== undefined;
  }

  #warnOfEviction(): void {
    // The store knows them, and is asked again.
    if (this.#evictionTold || this.#options.store !== undefined) return;
    this.#evictionTold = true;
    this.#options.log.warn(
      'sticky units are more than are kept in memory; the oldest are split anew when they return',
    );
  }
}

/** A variant that nobody is sent to keeps nobody: a rollback reaches those too who landed there. */
function keepersOf({ variants }: Experiment): readonly string[] {
  return variants.filter(({ weight }) => weight > 0).map(({ name }) => name);
}

function keyOf(experiment: string, phase: number, unitHash: number): string {
  return `${experiment} ${phase} ${unitHash}`;
}
