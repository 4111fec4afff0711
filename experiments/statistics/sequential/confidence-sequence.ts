import type { Effect } from '../estimates/comparison.ts';
import type { Interval } from '../estimates/welch.ts';

/** A test and an interval that hold their level at all looks together. */
export interface Anytime {
  readonly interval: Interval;
  /** Two-sided, of no effect; below alpha exactly where the interval leaves out zero. */
  readonly p: number;
}

/**
 * The time at which a confidence sequence is tightest, and the level for which that is so. Both have to be fixed before the
 * first look.
 */
export interface Tuning {
  /** In the unit of the time that the sequence is asked at, as units. */
  readonly plannedTime: number;
  readonly alpha: number;
}

/**
 * ρ², by which the sequence is tightest at the planned time.
 *
 * Source: I. Waudby-Smith, D. Arbour, R. Sinha, E. H. Kennedy and A. Ramdas, "Time-uniform central limit theory and asymptotic
 * confidence sequences", Annals of Statistics 52 (2024), appendix on optimising ρ, the closed form:
 * ρ² = (-2 log α + log(1 - 2 log α)) / t.
 */
export function mixtureScale({ plannedTime, alpha }: Tuning): number {
  const logarithm = -2 * Math.log(alpha);
  return (logarithm + Math.log1p(logarithm)) / plannedTime;
}

/**
 * How many standard errors a confidence sequence reaches to either side at `time`: for a mean of `time` units,
 * √((tρ² + 1) / (tρ²) · log((tρ² + 1) / α²)).
 *
 * Source: Waudby-Smith et al. 2024, Theorem 2.2, after H. Robbins, "Statistical methods related to the law of the iterated
 * logarithm", 1970.
 *
 * @param time > 0, in the unit of the tuning
 * @param alpha the level
 */
export function sequenceBoundary(time: number, alpha: number, tuning: Tuning): number {
  const scaled = time * mixtureScale(tuning);
  return Math.sqrt(((scaled + 1) / scaled) * (Math.log1p(scaled) - 2 * Math.log(alpha)));
}

/**
 * The asymptotic confidence sequence of an effect and its always-valid p-value, which hold their level however often they are
 * looked at, once there are so many units that the central limit theorem holds.
 *
 * The time is the number of effective units, not of requests and not of days: a difference of two arms moves as Brownian motion in the
 * information it has (the influence function of the difference has variance σ²/π_a + σ²/π_b with shares π), and
 * effective units are proportional to it for unequal and for changing shares.
 *
 * Source: interval: Waudby-Smith et al. 2024, Theorem 2.2 and, for variances that change, Proposition 2.5; p-value: the same
 * mixture inverted, as in M. Lindon, D. W. Ham, M. Tingley and I. Bojinov, "Anytime-valid inference in linear models and
 * regression-adjusted causal inference", 2022.
 *
 * @param time effective units
 * @returns undefined when nothing varied, so that nothing can be said
 */
export function confidenceSequence(
  effect: Effect,
  time: number,
  alpha: number,
  tuning: Tuning,
): Anytime | undefined {
  const { estimate, standardError } = effect;
  if (!(standardError > 0 && time > 0)) return undefined;
  const reach = standardError * sequenceBoundary(time, alpha, tuning);
  const scaled = time * mixtureScale(tuning);
  const z = estimate / standardError;
  const logEvidence = (scaled * z * z) / (2 * (scaled + 1)) - 0.5 * Math.log1p(scaled);
  return { interval: [estimate - reach, estimate + reach], p: Math.min(1, Math.exp(-logEvidence)) };
}
