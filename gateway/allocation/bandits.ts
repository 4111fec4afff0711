import type { Logger } from 'pino';
import { reweigh } from '../../experiments/allocation/reweigh.ts';
import { countedMetrics } from '../../experiments/counted-metric.ts';
import type { Experiment } from '../../experiments/definition.ts';
import { analysisInput } from '../../experiments/results/experiment-results.ts';
import type { Situation } from '../../experiments/standing/in-force.ts';
import type { Outcome } from '../../experiments/standing/command.ts';
import { StoreUnavailable } from '../../experiments/stores/state-store.ts';
import type { Claims, ExperimentData } from '../../experiments/stores/state-store.ts';
import type { BanditTurn } from '../telemetry/metrics.ts';
import type { StandingBook } from '../standing/standing-book.ts';

/** How often it is looked whether an experiment's turn has come. */
const LOOK_EVERY_MS = 1000;

export interface BanditsOptions {
  readonly book: StandingBook;
  readonly store: Claims;
  readonly counts: Pick<ExperimentData, 'tallies'>;
  readonly log: Logger;
  /** Uniform on [0, 1). */
  readonly random: () => number;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Told what each turn that this process took came to. */
  readonly onTurn: (experiment: string, result: BanditTurn) => void;
  /** Told of exposures that this process still has, so that they are counted. */
  readonly flush: () => Promise<void>;
}

/**
 * Moves the weights of experiments with `allocation: { kind: thompson }`, each at its own pace. Of many replicas the one that gets the claim of
 * a turn does it; the weights go through the standing, as those that a person sets do, and stand in the audit log.
 */
export class Bandits {
  readonly #options: BanditsOptions;
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();
  #isAway = false;

  constructor(options: BanditsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      this.#turn = this.#turn.then(() => this.#look());
    }, LOOK_EVERY_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#turn;
  }

  async #look(): Promise<void> {
    const { book, log } = this.#options;
    try {
      for (const situation of book.situations) await this.#takeTurn(situation);
      this.#isAway = false;
    } catch (error) {
      const known = error instanceof StoreUnavailable;
      if (!known) log.error({ err: error }, 'the weights of an experiment could not be drawn');
      else if (!this.#isAway)
        log.warn({ reason: error.message }, 'the state store is away; bandits keep their weights');
      this.#isAway = known;
    }
  }

  async #takeTurn({ experiment: written, standing }: Situation): Promise<void> {
    const { allocation, key, phase } = written;
    if (allocation === undefined || standing.split.status !== 'running') return;
    const { store, onTurn } = this.#options;
    if (!(await store.claim(`reweigh ${key} ${phase}`, allocation.everyMs))) return;
    try {
      onTurn(key, (await this.#reweigh(written, allocation)) ? 'moved' : 'kept');
    } catch (error) {
      onTurn(key, 'failed');
      throw error;
    }
  }

  /** @returns whether the weights are others now */
  async #reweigh(written: Experiment, { metric }: NonNullable<Experiment['allocation']>): Promise<boolean> {
    const { key, phase } = written;
    const { book, counts, flush, nowMs, random, log } = this.#options;
    await flush();
    const tallies = await counts.tallies(key, phase, countedMetrics(written.metrics), nowMs());
    const decide = (situation: Situation): Outcome => {
      const inForce = book.current.byKey.get(key);
      if (inForce === undefined || !isSameTurn(situation, written)) return { kind: 'same' };
      const drawn = reweigh(inForce, written, analysisInput(inForce, tallies, nowMs()), random);
      if (drawn.kind === 'keep') return { kind: 'same' };
      return { kind: 'change', split: { ...situation.standing.split, weights: drawn.weights } };
    };
    const changed = await book.change(key, decide, {
      cause: {
        action: 'reweigh',
        reason: `Thompson sampling on ${metric}`,
        actor: { kind: 'gateway', id: '', name: 'bandit', address: '' },
        at: new Date(nowMs()).toISOString(),
      },
    });
    if (changed.kind !== 'changed') return false;
    log.info({ experiment: key, weights: changed.after.split.weights }, 'a bandit moved the weights');
    return true;
  }
}

/** Whether what was counted is of the experiment as it stands: a file's edit begins anew. */
function isSameTurn({ experiment, standing }: Situation, written: Experiment): boolean {
  return experiment === written && standing.split.status === 'running';
}
