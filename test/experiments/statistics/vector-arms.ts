import { expect } from 'vitest';
import { sampleOfMean, sampleOfProportion } from '../../../experiments/statistics/estimates/sample.ts';
import type { Sample } from '../../../experiments/statistics/estimates/sample.ts';

/** An arm as the vectors write it: sums, as GrowthBook takes them. */
export interface VectorArm {
  readonly kind: string;
  readonly units?: number;
  readonly successes?: number;
  readonly n?: number;
  readonly sum?: number;
  readonly sumSquares?: number;
}

export function sampleOf(arm: VectorArm): Sample {
  if (arm.units !== undefined && arm.successes !== undefined)
    return sampleOfProportion(arm.units, arm.successes);
  const { n, sum, sumSquares } = arm;
  if (n === undefined || sum === undefined || sumSquares === undefined)
    expect.fail(`a vector of kind ${arm.kind}`);
  return sampleOfMean({ n, mean: sum / n, m2: sumSquares - (sum * sum) / n, m3: 0 });
}
