import type { Direction } from './bayesian/normal-posterior.ts';

/** What is believed of one variant's mean. */
export interface ArmBelief {
  readonly name: string;
  readonly mean: number;
  /** The standard deviation of that belief, > 0: the standard error of the mean, or more. */
  readonly deviation: number;
  /** The least and the most weight it may have, whole numbers out of `total`. */
  readonly floor: number;
  readonly ceiling: number;
}

/**
 * Weights for a Thompson-sampling bandit: each variant's share is the probability that it is the best, from draws of all
 * beliefs together, within floors and ceilings; whole numbers that sum to `total`.
 *
 * A floor above 0 for control keeps the estimates comparable: a change of weights opens an epoch, and an epoch
 * without control tells nothing of a variant.
 *
 * Source: W. R. Thompson, Biometrika 25 (1933); S. L. Scott, "A modern Bayesian look at the multi-armed bandit", 2010, section 3 (the
 * probabilities of being the best as weights).
 *
 * @param random uniform on [0, 1)
 * @param draws how many; 10,000 know a share to half a percent
 * @throws RangeError when floors and ceilings leave no weights that sum to `total`
 */
export function thompsonWeights(
  arms: readonly ArmBelief[],
  direction: Direction,
  random: () => number,
  total = 100,
  draws = 10_000,
): Readonly<Record<string, number>> {
  const sumOf = (key: 'floor' | 'ceiling'): number => arms.reduce((sum, arm) => sum + arm[key], 0);
  if (sumOf('floor') > total || sumOf('ceiling') < total || arms.some(cannotHold)) {
    throw new RangeError(
      `floors sum to ${sumOf('floor')} and ceilings to ${sumOf('ceiling')}; expected whole numbers with ${total} between their sums, and each floor at most its ceiling`,
    );
  }
  const wins = arms.map(() => 0);
  for (let draw = 0; draw < draws; draw += 1) {
    let [best, bestValue] = [0, -Infinity];
    arms.forEach((arm, index) => {
      const drawn = arm.mean + arm.deviation * standardNormal(random);
      const value = direction === 'increase' ? drawn : -drawn;
      if (value > bestValue) [best, bestValue] = [index, value];
    });
    wins[best] = (wins[best] ?? 0) + 1;
  }
  return wholeWeights(
    arms,
    wins.map((count) => count / draws),
    total,
  );
}

function cannotHold({ floor, ceiling }: ArmBelief): boolean {
  return !Number.isInteger(floor) || !Number.isInteger(ceiling) || floor < 0 || floor > ceiling;
}

/** Gives each arm its floor, then the rest by share, never above a ceiling; fractions go to the largest remainders. */
function wholeWeights(
  arms: readonly ArmBelief[],
  shares: readonly number[],
  total: number,
): Readonly<Record<string, number>> {
  // The multiplier of the shares at which the clipped weights sum to the total: their sum grows with it.
  const clippedAt = (scale: number): readonly number[] =>
    arms.map(({ floor, ceiling }, index) =>
      Math.min(ceiling, Math.max(floor, scale * ((shares[index] ?? 0) + 1e-12))),
    );
  let [low, high] = [0, 1e15];
  for (let step = 0; step < 200; step += 1) {
    const between = (low + high) / 2;
    if (clippedAt(between).reduce((sum, weight) => sum + weight, 0) < total) low = between;
    else high = between;
  }
  const exact = clippedAt(high);
  const weights = exact.map((weight) => Math.floor(weight + 1e-9));
  let left = total - weights.reduce((sum, weight) => sum + weight, 0);
  const byRemainder = exact
    .map((weight, index) => ({ index, remainder: weight - (weights[index] ?? 0) }))
    .sort((a, b) => b.remainder - a.remainder || a.index - b.index);
  while (left > 0) {
    for (const { index } of byRemainder) {
      const weight = weights[index] ?? 0;
      if (left > 0 && weight < (arms[index]?.ceiling ?? 0)) {
        weights[index] = weight + 1;
        left -= 1;
      }
    }
  }
  return Object.fromEntries(arms.map(({ name }, index) => [name, weights[index] ?? 0]));
}

/** By the method of G. E. P. Box and M. E. Muller (1958). */
function standardNormal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
