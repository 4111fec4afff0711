import type { Experiment } from '../../experiments/definition.ts';
import type { ExperimentSet } from '../../experiments/experiment-set.ts';
import { sharesOf } from '../../experiments/shares.ts';
import { StoreUnavailable } from '../../experiments/stores/state-store.ts';
import type { Claims, Documents } from '../../experiments/stores/state-store.ts';
import { emptyHistory, extended, historyPoint, isDue } from './interval-history.ts';
import type { IntervalHistory } from './interval-history.ts';
import type { ResultsReader } from './results-reader.ts';

/** Time between two looks at whether points are due. */
const LOOK_EVERY_MS = 2500;

/** One replica at a time adds to a history. */
const CLAIM_MS = 2000;

export interface HistorySources {
  readonly store: Documents & Claims;
  readonly experiments: () => ExperimentSet;
  readonly results: Pick<ResultsReader, 'recent'>;
  readonly nowMs: () => number;
  /** Told of what went wrong with a look, which is tried again at the next. */
  readonly onFault: (error: unknown) => void;
}

/**
 * Keeps how the intervals of each running experiment closed in, in the state store: one bounded document an experiment, of its
 * current phase. Reading an experiment takes the main thread a few milliseconds, so they are read one after the other, and each only when its next
 * point is due.
 */
export class HistoryKeeper {
  readonly #sources: HistorySources;
  #timer: NodeJS.Timeout | undefined;
  #look: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(sources: HistorySources) {
    this.#sources = sources;
  }

  start(): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => {
      this.#look = this.look().finally(() => {
        this.start();
      });
    }, LOOK_EVERY_MS);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#look;
  }

  /** @throws StoreUnavailable */
  async historyOf({ key, phase }: Experiment): Promise<IntervalHistory> {
    return (await this.#stored(key, phase)).history;
  }

  /** Adds the points that are due. */
  async look(): Promise<void> {
    for (const experiment of this.#sources.experiments().byKey.values()) {
      if (this.#isStopped) return;
      if (experiment.status !== 'running') continue;
      try {
        await this.#lookAt(experiment);
      } catch (error) {
        // A store that is away has its own metric and log lines.
        if (!(error instanceof StoreUnavailable)) this.#sources.onFault(error);
      }
    }
  }

  async #lookAt(experiment: Experiment): Promise<void> {
    const { store, results, nowMs } = this.#sources;
    const { key, phase } = experiment;
    const { history, version } = await this.#stored(key, phase);
    if (!isDue(history, { atMs: nowMs(), variants: sharesOf(experiment) })) return;
    if (!(await store.claim(documentOf(key), CLAIM_MS))) return;
    const next = extended(history, historyPoint(await results.recent(experiment, CLAIM_MS)));
    // Where another replica was first after all, its point stands for this one.
    if (next !== history) await store.writeDocument(documentOf(key), next, version);
  }

  async #stored(
    key: string,
    phase: number,
  ): Promise<{ readonly history: IntervalHistory; readonly version: number }> {
    const stored = await this.#sources.store.readDocument(documentOf(key));
    const history = stored?.value;
    const isOurs = isHistory(history) && history.phase === phase;
    return { history: isOurs ? history : emptyHistory(phase), version: stored?.version ?? 0 };
  }
}

function documentOf(key: string): string {
  return `history:${key}`;
}

/** Only this file writes it. */
function isHistory(value: unknown): value is IntervalHistory {
  return typeof value === 'object' && value !== null && 'points' in value && 'phase' in value;
}
