import { hashCoverage, hashUnit } from './assignment.ts';
import type { Choice } from './decision.ts';
import type { UnitKey } from './prediction-id.ts';

/** A choice's unit without its name; undefined where the request named none. */
export function unitKeyOf({ unit, hash, experiment: { seed } }: Choice): UnitKey | undefined {
  if (unit === undefined) return undefined;
  return { split: hash ?? hashUnit(seed, unit), coverage: hashCoverage(seed, unit) };
}

/** Whether results may count a request that was routed for this reason. */
export function countsInResults({ reason }: Choice): boolean {
  return reason === 'split' || reason === 'sticky';
}
