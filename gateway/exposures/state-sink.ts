import { countedMetrics } from '../../experiments/counted-metric.ts';
import type { Experiment } from '../../experiments/definition.ts';
import { epochOf } from '../../experiments/epoch.ts';
import { murmur3 } from '../../experiments/murmur3.ts';
import { uidOf, unitKeyText } from '../../experiments/prediction-id.ts';
import type { UnitKey } from '../../experiments/prediction-id.ts';
import { OTHER } from '../../experiments/answers/top-label.ts';
import { windowsOf } from '../../experiments/stores/ledger.ts';
import type { ExposureBatch, Scope, UnitExposure } from '../../experiments/stores/ledger.ts';
import type { ExperimentData } from '../../experiments/stores/state-store.ts';
import { countsInResults } from '../../experiments/unit-key.ts';
import type { Exposure, ExposureSink, OnDrop } from './exposure.ts';
import { RecentlySeen } from './recently-seen.ts';

/** Units that wait for the store; requests of one more are dropped. */
const MAX_WAITING_UNITS = 20_000;

/** Units that go to the store in one call. */
const UNITS_A_CALL = 2000;

/** Units that are known to be in the store already: most requests are of one of these, and only add to the counts. */
const REMEMBERED_UNITS = 100_000;

/** Different answers that are counted apart; further ones are counted together. */
const MOST_CATEGORIES = 1024;

/** The counts of one variant in one epoch, while they add up. */
interface Counts extends Scope {
  readonly name: string;
  /** Of the name. */
  readonly hash: number;
  readonly epoch: number;
  readonly variant: string;
  requests: number;
  unitlessRequests: number;
  errors: number;
  readonly uncounted: Record<string, number>;
  readonly models: Record<string, number>;
}

/** Brings exposures to the state store: counts added up, and of each unit only what may be its first. */
export class StateSink implements ExposureSink {
  readonly name = 'state';
  readonly #store: ExperimentData;
  readonly #onDrop: OnDrop;
  readonly #seen = new RecentlySeen<number>(REMEMBERED_UNITS);
  /** What answers said, by experiment, phase, epoch and variant. */
  readonly #categories = new Map<string, Set<string>>();
  readonly #windows = new WeakMap<Experiment, readonly number[]>();
  #counts = new Map<Experiment, Map<string, Counts>>();
  #units: UnitExposure[] = [];
  /** Batches whose times were taken: requests of one batch share theirs, and are one observation. */
  #batches = new Set<number>();
  #sending: Promise<void> | undefined;

  constructor(store: ExperimentData, onDrop: OnDrop) {
    this.#store = store;
    this.#onDrop = onDrop;
  }

  accept(exposures: readonly Exposure[]): void {
    let dropped = 0;
    for (const exposure of exposures) {
      if (this.#units.length >= MAX_WAITING_UNITS) dropped += 1;
      else this.#add(exposure);
    }
    if (dropped > 0) this.#onDrop(this.name, dropped, 'the state store is slower than the requests');
    if (this.#counts.size > 0) this.#sending ??= this.#send();
  }

  async flush(): Promise<void> {
    await this.#sending;
  }

  async close(): Promise<void> {
    await this.flush();
  }

  #add(exposure: Exposure): void {
    const { choice, unit, bearing } = exposure;
    const counts = this.#countsOf(choice.experiment, choice.variant.name);
    const { experiment, phase, epoch, variant } = counts;
    if (!countsInResults(choice)) {
      counts.uncounted[choice.reason] = (counts.uncounted[choice.reason] ?? 0) + 1;
      return;
    }
    counts.requests += 1;
    const { digest } = exposure.version.about;
    counts.models[digest] = (counts.models[digest] ?? 0) + 1;
    if (isError(bearing)) counts.errors += 1;
    if (unit === undefined) {
      counts.unitlessRequests += 1;
      return;
    }
    if (!this.#seen.add(fingerprint(unit, counts))) return;
    this.#units.push({
      experiment,
      phase,
      epoch,
      variant,
      unit: unitKeyText(unit),
      uid: uidOf(exposure.predictionId),
      atMs: exposure.atMs,
      keyId: exposure.keyId,
      values: this.#valuesOf(exposure),
      ...this.#categoryOf(counts.name, exposure),
      windowsMs: this.#windowsOf(choice.experiment),
    });
  }

  #countsOf(experiment: Experiment, variant: string): Counts {
    let ofExperiment = this.#counts.get(experiment);
    if (ofExperiment === undefined) {
      ofExperiment = new Map();
      this.#counts.set(experiment, ofExperiment);
    }
    let counts = ofExperiment.get(variant);
    if (counts === undefined) {
      const { key, phase } = experiment;
      const { epoch } = epochOf(experiment);
      const name = `${key} ${phase} ${epoch} ${variant}`;
      const zero = { requests: 0, unitlessRequests: 0, errors: 0, uncounted: {}, models: {} };
      counts = { name, hash: murmur3(name), experiment: key, phase, epoch, variant, ...zero };
      ofExperiment.set(variant, counts);
    }
    return counts;
  }

  /**
   * What is known without an outcome. A caller's mistake is no error of the variant, but it is one that the control should get as often. Where no
   * model ran, as for an answer from a cache, there are no times to compare.
   */
  #valuesOf({
    bearing,
    totalMs,
    queueMs,
    computeMs,
    batchId,
    answered,
    cache,
  }: Exposure): UnitExposure['values'] {
    if (isError(bearing)) return { error_rate: 1, client_error_rate: 0 };
    if (bearing === 'client_error') return { client_error_rate: 1 };
    if (bearing !== 'ok') return {};
    const known = {
      error_rate: 0,
      client_error_rate: 0,
      ...(answered?.confidence !== undefined && { confidence: answered.confidence }),
      ...(cache !== undefined && { cache_hits: cache === 'hit' ? 1 : 0 }),
    };
    if (computeMs === undefined) return known;
    if (batchId !== undefined) {
      if (this.#batches.has(batchId)) return known;
      this.#batches.add(batchId);
    }
    return {
      ...known,
      latency: totalMs,
      ...(queueMs !== undefined && { queue: queueMs }),
      compute: computeMs,
    };
  }

  /** Of a variant so many different categories are kept apart; models may answer with any text. */
  #categoryOf(counts: string, { answered }: Exposure): Pick<UnitExposure, 'category'> {
    const category = answered?.category;
    if (category === undefined) return {};
    let known = this.#categories.get(counts);
    if (known === undefined) {
      known = new Set();
      this.#categories.set(counts, known);
    }
    if (known.size < MOST_CATEGORIES) known.add(category);
    return { category: known.has(category) ? category : OTHER };
  }

  #windowsOf(experiment: Experiment): readonly number[] {
    let windows = this.#windows.get(experiment);
    if (windows === undefined) {
      windows = windowsOf(countedMetrics(experiment.metrics));
      this.#windows.set(experiment, windows);
    }
    return windows;
  }

  async #send(): Promise<void> {
    while (this.#counts.size > 0 || this.#units.length > 0) {
      const counts = [...this.#counts.values()].flatMap((variants) => [...variants.values()]);
      const batch: ExposureBatch = {
        epochs: [...this.#counts.keys()].map((experiment) => ({
          experiment: experiment.key,
          phase: experiment.phase,
          ...epochOf(experiment),
        })),
        requests: counts,
        units: this.#units.splice(0, UNITS_A_CALL),
      };
      this.#counts = new Map();
      this.#batches = new Set();
      try {
        await this.#store.recordExposures(batch);
      } catch (error) {
        // Some of it may have been counted, so it can't be sent again; units come again with their next request or outcome.
        this.#seen.clear();
        const requests = counts.reduce((sum, { requests: count }) => sum + count, 0);
        const reason = error instanceof Error ? error.message : String(error);
        this.#onDrop(this.name, Math.max(requests, batch.units.length), reason);
      }
    }
    this.#sending = undefined;
  }
}

/**
 * Names a unit of one variant's counts in 53 bits, as many as a number has: 32 of the hash that splits, mixed with what it is counted for,
 * and 21 of the other one. That a new unit is taken for one of 200,000 that are remembered happens once in some 10^10.
 */
function fingerprint({ split, coverage }: UnitKey, { hash }: Counts): number {
  return ((split ^ hash) >>> 0) * 2 ** 21 + (coverage >>> 11);
}

/** What its own queue turns away a variant fails as much as what it breaks on. */
function isError(bearing: Exposure['bearing']): boolean {
  return bearing === 'error' || bearing === 'timeout' || bearing === 'shed';
}
