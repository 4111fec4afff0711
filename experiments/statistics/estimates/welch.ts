import { studentQuantile, studentTail } from '../special/student-t.ts';
import { normalQuantile, normalTail } from '../special/normal.ts';
import type { Effect } from './comparison.ts';

/** Lower and upper end. */
export type Interval = readonly [low: number, high: number];

/** A test that holds its level at one look that was planned before, and an interval at the same level. */
export interface FixedHorizon {
  readonly interval: Interval;
  /** Two-sided, of no effect. */
  readonly p: number;
}

/**
 * Welch's t test and interval. Valid at one look, planned before; not at the first of many that pleases.
 *
 * Source: B. L. Welch, "The generalization of Student's problem when several different population variances are involved",
 * Biometrika 34 (1947).
 *
 * @param alpha the level, 0 to 1: the interval covers with probability 1 - alpha
 * @returns undefined when nothing varied, so that nothing can be said
 */
export function welch(effect: Effect, degreesOfFreedom: number, alpha: number): FixedHorizon | undefined {
  const { estimate, standardError } = effect;
  if (!(standardError > 0)) return undefined;
  const t = Math.abs(estimate) / standardError;
  // Beyond that many degrees the t distribution is the normal one to the last digit shown.
  const normal = degreesOfFreedom > 1e9;
  const critical = normal ? -normalQuantile(alpha / 2) : -studentQuantile(alpha / 2, degreesOfFreedom);
  const p = 2 * (normal ? normalTail(t) : studentTail(t, degreesOfFreedom));
  return { interval: [estimate - critical * standardError, estimate + critical * standardError], p };
}
