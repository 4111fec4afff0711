import type { Epoch } from '../epoch.ts';
import { readHistogram } from './histogram.ts';
import type { Bucket, Histogram } from './histogram.ts';

/**
 * The sums of one metric over the units of a variant in an epoch: all that commutes, so that replicas add to them in any
 * order. Means, variances and covariances follow from them.
 */
export interface MetricTally {
  /** Units that entered with a value. */
  readonly units: number;
  readonly sumX: number;
  readonly sumX2: number;
  /** Of a ratio's denominators, or of covariates; equal to `units` for every other metric. */
  readonly sumY: number;
  readonly sumY2: number;
  readonly sumXY: number;
  readonly sumX3: number;
  /** The sums of y³, x²y and xy², where y is a ratio's denominator or a covariate; 0 for every other metric. */
  readonly sumY3: number;
  readonly sumX2Y: number;
  readonly sumXY2: number;
  /** Of the values, where the distribution is kept; else empty. */
  readonly histogram: Histogram;
}

/** Outcomes that are shown and not tested, over all epochs. */
export interface UntestedTally {
  /** Of a later exposure than the unit's first, where there is no window. */
  readonly later: number;
  readonly laterSumX: number;
  /** After the unit's window had closed. */
  readonly late: number;
  /** Of requests that named no unit. */
  readonly unitless: number;
  readonly unitlessSumX: number;
  /** Given before, with the same prediction id. */
  readonly duplicate: number;
  /** Of a unit that had changed its variant by then. */
  readonly switched: number;
}

export interface VariantTally {
  /** Units whose first exposure in the phase was here. */
  readonly units: number;
  /** The same by UTC day, `2026-11-22`. */
  readonly unitsByDay: Readonly<Record<string, number>>;
  /** The same by the id of the key they called with; empty without keys. */
  readonly unitsByKey: Readonly<Record<string, number>>;
  /** Units that entered here and were given another variant later. */
  readonly switched: number;
  /** Requests that count, by units or without. */
  readonly requests: number;
  /** Of these, those that named no unit. */
  readonly unitlessRequests: number;
  /** Of `requests`, those that failed for a fault that was not the caller's. */
  readonly errors: number;
  /** Requests that don't count, by their reason. */
  readonly uncounted: Readonly<Record<string, number>>;
  /** Units by what their first answer said. */
  readonly outputs: Readonly<Record<string, number>>;
  /** Of `requests`, by the digest of the model that they were for: files that are swapped under a version's number make another model. */
  readonly models: Readonly<Record<string, number>>;
  /** By the metric's name. */
  readonly metrics: Readonly<Record<string, MetricTally>>;
}

export interface EpochTally {
  readonly epoch: number;
  /** How units were split; undefined where the store has lost it. */
  readonly split: Omit<Epoch, 'epoch'> | undefined;
  /** By the variant's name. */
  readonly variants: Readonly<Record<string, VariantTally>>;
}

/** All that is known of a phase, as plain JSON. */
export interface Tallies {
  readonly experiment: string;
  readonly phase: number;
  /** In the order in which they were first seen. */
  readonly epochs: readonly EpochTally[];
  /** By variant, then by metric. */
  readonly untested: Readonly<Record<string, Readonly<Record<string, UntestedTally>>>>;
}

/** The names of the sums: what a store adds to, and what {@link readTallies} reads. */
export type TallyField =
  | readonly [
      'unit',
      epoch: number,
      variant: string,
      'units' | 'switched' | 'requests' | 'unitlessRequests' | 'errors',
    ]
  | readonly ['day' | 'key' | 'uncounted' | 'output' | 'model', epoch: number, variant: string, name: string]
  | readonly ['metric', epoch: number, variant: string, metric: string, sum: MetricSum]
  | readonly ['bucket', epoch: number, variant: string, metric: string, bucket: Bucket]
  | readonly ['untested', epoch: 0, variant: string, metric: string, sum: keyof UntestedTally];

export type MetricSum = Exclude<keyof MetricTally, 'histogram'>;

/** An amount to be added to one of the sums, whose name is a {@link TallyField} as JSON. */
export type TallyDelta = readonly [field: string, amount: number];

export function tallyDelta(field: TallyField, amount: number): TallyDelta {
  return [JSON.stringify(field), amount];
}

/** The names of one metric's sums. */
export interface MetricFields {
  readonly sums: Readonly<Record<MetricSum, string>>;
  bucket(bucket: Bucket): string;
}

const metricFields = new Map<string, MetricFields>();

/** A bandit opens epochs for as long as it runs; what is forgotten is made again. */
const MOST_METRIC_FIELDS = 4096;

/** Made once for each metric of a variant in an epoch: one exposure adds to some thirty sums, and writing their names took most of its time. */
export function metricFieldsOf(epoch: number, variant: string, metric: string): MetricFields {
  const key = `${epoch}\n${variant}\n${metric}`;
  let fields = metricFields.get(key);
  if (fields === undefined) {
    const nameOf = (sum: MetricSum): string =>
      JSON.stringify(['metric', epoch, variant, metric, sum] satisfies TallyField);
    const bucketStart = JSON.stringify(['bucket', epoch, variant, metric]).slice(0, -1);
    fields = {
      sums: {
        units: nameOf('units'),
        sumX: nameOf('sumX'),
        sumX2: nameOf('sumX2'),
        sumY: nameOf('sumY'),
        sumY2: nameOf('sumY2'),
        sumXY: nameOf('sumXY'),
        sumX3: nameOf('sumX3'),
        sumY3: nameOf('sumY3'),
        sumX2Y: nameOf('sumX2Y'),
        sumXY2: nameOf('sumXY2'),
      },
      // A bucket's name has nothing in it that JSON would escape.
      bucket: (bucket) => `${bucketStart},"${bucket}"]`,
    };
    if (metricFields.size >= MOST_METRIC_FIELDS) metricFields.clear();
    metricFields.set(key, fields);
  }
  return fields;
}

/**
 * Puts the sums together.
 *
 * @param fields names as {@link tallyDelta} made them, and their sums
 * @param epochs in the order in which they were first seen
 */
export function readTallies(
  experiment: string,
  phase: number,
  fields: Iterable<readonly [field: string, sum: number]>,
  epochs: readonly Epoch[],
): Tallies {
  const byEpoch = new Map<number, Map<string, VariantDraft>>(epochs.map(({ epoch }) => [epoch, new Map()]));
  const untested = new Map<string, Map<string, UntestedTally>>();
  for (const [name, sum] of fields) {
    const field = parseField(name);
    if (field[0] === 'untested') {
      const [, , variant, metric, what] = field;
      const ofVariant = ensure(untested, variant, () => new Map<string, UntestedTally>());
      ofVariant.set(metric, { ...(ofVariant.get(metric) ?? NOTHING_UNTESTED), [what]: sum });
    } else {
      const variants = ensure(byEpoch, field[1], () => new Map<string, VariantDraft>());
      addToVariant(
        ensure(variants, field[2], () => new VariantDraft()),
        field,
        sum,
      );
    }
  }
  const splits = new Map(epochs.map(({ epoch, ...split }) => [epoch, split]));
  return {
    experiment,
    phase,
    epochs: [...byEpoch].map(([epoch, variants]) => ({
      epoch,
      split: splits.get(epoch),
      variants: sortedRecord([...variants].map(([variant, draft]) => [variant, draft.finish()])),
    })),
    untested: sortedRecord([...untested].map(([variant, metrics]) => [variant, sortedRecord(metrics)])),
  };
}

const NOTHING_UNTESTED: UntestedTally = {
  later: 0,
  laterSumX: 0,
  late: 0,
  unitless: 0,
  unitlessSumX: 0,
  duplicate: 0,
  switched: 0,
};

class VariantDraft {
  readonly counts = { units: 0, switched: 0, requests: 0, unitlessRequests: 0, errors: 0 };
  readonly day = new Map<string, number>();
  readonly key = new Map<string, number>();
  readonly uncounted = new Map<string, number>();
  readonly output = new Map<string, number>();
  readonly model = new Map<string, number>();
  readonly metrics = new Map<string, Record<MetricSum, number>>();
  readonly histograms = new Map<string, Map<Bucket, number>>();

  finish(): VariantTally {
    const metrics = [...new Set([...this.metrics.keys(), ...this.histograms.keys()])].map(
      (name) =>
        [
          name,
          {
            ...(this.metrics.get(name) ?? noSums()),
            histogram: readHistogram(this.histograms.get(name) ?? []),
          },
        ] as const,
    );
    return {
      ...this.counts,
      unitsByDay: sortedRecord(this.day),
      unitsByKey: sortedRecord(this.key),
      uncounted: sortedRecord(this.uncounted),
      outputs: sortedRecord(this.output),
      models: sortedRecord(this.model),
      metrics: sortedRecord(metrics),
    };
  }
}

function noSums(): Record<MetricSum, number> {
  return {
    units: 0,
    sumX: 0,
    sumX2: 0,
    sumX3: 0,
    sumY: 0,
    sumY2: 0,
    sumY3: 0,
    sumXY: 0,
    sumX2Y: 0,
    sumXY2: 0,
  };
}

function addToVariant(draft: VariantDraft, field: Exclude<TallyField, { 0: 'untested' }>, sum: number): void {
  switch (field[0]) {
    case 'unit':
      draft.counts[field[3]] = sum;
      break;
    case 'day':
    case 'key':
    case 'uncounted':
    case 'output':
    case 'model':
      draft[field[0]].set(field[3], sum);
      break;
    case 'metric':
      ensure(draft.metrics, field[3], noSums)[field[4]] = sum;
      break;
    case 'bucket':
      // A value that was replaced leaves an empty bucket behind.
      if (sum !== 0) ensure(draft.histograms, field[3], () => new Map()).set(field[4], sum);
      break;
  }
}

/** Only {@link tallyDelta} writes the names. */
function parseField(name: string): TallyField {
  return JSON.parse(name) as TallyField;
}

function ensure<Key, Value>(map: Map<Key, Value>, key: Key, create: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = create();
    map.set(key, value);
  }
  return value;
}

/** The order of keys doesn't depend on which replica wrote first. */
function sortedRecord<Value>(entries: Iterable<readonly [string, Value]>): Record<string, Value> {
  return Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
}
