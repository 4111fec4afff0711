import type { Experiment } from '../../experiments/definition.ts';
import { StoreUnavailable } from '../../experiments/stores/state-store.ts';
import type { Reading, ResultsReader } from './results-reader.ts';

/** A reading that is older is read anew when somebody looks. */
const FRESH_MS = 5000;

export interface ResultsWatchSources {
  /** Those that are under way. */
  readonly experiments: () => readonly Experiment[];
  readonly results: ResultsReader;
  /** Told of what went wrong with a reading; it is tried again at the next look. */
  readonly onFault: (error: unknown) => void;
}

/**
 * What experiments said last, for those who look now and then and don't wait, as a scrape of metrics: a look has them read anew for the
 * next one. An experiment takes the main thread some milliseconds, so they are read one after the other.
 */
export class ResultsWatch {
  readonly #sources: ResultsWatchSources;
  #underWay: Promise<void> | undefined;
  #isStopped = false;

  constructor(sources: ResultsWatchSources) {
    this.#sources = sources;
  }

  /** Of each experiment that was ever read as it stands; as old as the look before, at least. */
  look(): readonly Reading[] {
    const { experiments, results } = this.#sources;
    if (!this.#isStopped) {
      this.#underWay ??= this.#readAll().finally(() => {
        this.#underWay = undefined;
      });
    }
    return experiments().flatMap((experiment) => results.latest(experiment) ?? []);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#underWay;
  }

  async #readAll(): Promise<void> {
    const { experiments, results, onFault } = this.#sources;
    for (const experiment of experiments()) {
      if (this.#isStopped) return;
      try {
        await results.recent(experiment, FRESH_MS);
      } catch (error) {
        // A store that is away has its own metric and log lines.
        if (!(error instanceof StoreUnavailable)) onFault(error);
      }
    }
  }
}
