import { countedMetrics } from '../../experiments/counted-metric.ts';
import type { Experiment } from '../../experiments/definition.ts';
import { experimentResults } from '../../experiments/results/experiment-results.ts';
import type { PublishedResults, SignatureHealth } from '../../experiments/results/experiment-results.ts';
import { mirrorResults } from '../../experiments/results/mirror-results.ts';
import type { ExperimentData } from '../../experiments/stores/state-store.ts';

/** What an experiment said at a moment. */
export interface Reading {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  /** As it stood then. */
  readonly experiment: Experiment;
  readonly results: PublishedResults;
}

export interface ReadingSources {
  readonly counts: Pick<ExperimentData, 'tallies' | 'mirrors'>;
  /** Hands over what this process has seen, so that it is counted. */
  readonly flush: () => Promise<unknown>;
  /** How the variants' models, as they are loaded now, differ. */
  readonly signatures: (experiment: Experiment) => SignatureHealth;
  readonly nowMs: () => number;
}

/** Reads what experiments say from the state store, and remembers the last reading of each for those who only watch. */
export class ResultsReader {
  readonly #sources: ReadingSources;
  /** By the experiment as it stands: an edit makes another one. */
  readonly #latest = new WeakMap<Experiment, Reading>();
  readonly #underWay = new WeakMap<Experiment, Promise<Reading>>();

  constructor(sources: ReadingSources) {
    this.#sources = sources;
  }

  /**
   * Has everything that was answered before the call.
   *
   * @throws StoreUnavailable
   */
  async read(experiment: Experiment): Promise<Reading> {
    const { counts, flush, signatures, nowMs } = this.#sources;
    const atMs = nowMs();
    await flush();
    const { key, phase, metrics } = experiment;
    const tallies = await counts.tallies(key, phase, countedMetrics(metrics), atMs);
    const mirrors = mirrorResults(await counts.mirrors(key, phase));
    const counted = experimentResults(experiment, tallies, atMs);
    const health = { ...counted.health, signatures: signatures(experiment) };
    const results = { ...counted, health, mirrors };
    const reading = { atMs, experiment, results };
    if (atMs >= (this.#latest.get(experiment)?.atMs ?? 0)) this.#latest.set(experiment, reading);
    return reading;
  }

  /** The last reading; undefined where there was none since the experiment stands as it does. */
  latest(experiment: Experiment): Reading | undefined {
    return this.#latest.get(experiment);
  }

  /**
   * The last reading where it isn't older than that, or else a new one, which all share who ask meanwhile.
   *
   * @throws StoreUnavailable
   */
  async recent(experiment: Experiment, maxAgeMs: number): Promise<Reading> {
    const latest = this.#latest.get(experiment);
    if (latest !== undefined && this.#sources.nowMs() - latest.atMs <= maxAgeMs) return latest;
    let reading = this.#underWay.get(experiment);
    if (reading === undefined) {
      reading = this.read(experiment).finally(() => this.#underWay.delete(experiment));
      this.#underWay.set(experiment, reading);
    }
    return reading;
  }
}
