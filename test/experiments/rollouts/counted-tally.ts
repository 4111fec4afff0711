import { readHistogram } from '../../../experiments/stores/histogram.ts';
import type { VariantTally } from '../../../experiments/stores/tallies.ts';

/** Units of a variant, and how many of them were answered rightly. */
export type Counted = readonly [units: number, right: number];

/** What a store has of them, where they were counted by the metric `correct`. */
export function tallyOf([units, right]: Counted): VariantTally {
  return {
    units,
    requests: units,
    unitsByDay: { '2026-11-25': units },
    unitsByKey: {},
    models: {},
    switched: 0,
    unitlessRequests: 0,
    errors: 0,
    uncounted: {},
    outputs: {},
    metrics: {
      correct: {
        units,
        sumX: right,
        sumX2: right,
        sumX3: right,
        sumY: units,
        sumY2: units,
        sumY3: 0,
        sumXY: right,
        sumX2Y: 0,
        sumXY2: 0,
        histogram: readHistogram([]),
      },
    },
  };
}
