import type { Experiment } from '../definition.ts';
import type { Split } from '../standing/standing.ts';
import type { RolloutPlan } from './plan.ts';
import { trafficOf } from './state.ts';
import type { RolloutRecord } from './state.ts';

/** Shares are counted in hundredths of a percent. */
const ALL = 10_000;

/**
 * The weights at which the variant gets its share: the baseline as much, as far as there is room, and the others the rest as their
 * file's weights say.
 *
 * @param weight percent, two decimals at most
 */
export function rolloutWeights(
  variants: readonly { readonly name: string; readonly weight: number }[],
  { variant, baseline }: Pick<RolloutPlan, 'variant' | 'baseline'>,
  weight: number,
): Readonly<Record<string, number>> {
  const own = Math.round(100 * weight);
  const equal = baseline === undefined ? 0 : Math.min(own, ALL - own);
  const others = variants.filter(({ name }) => name !== variant && name !== baseline);
  const total = others.reduce((sum, { weight: ofFile }) => sum + ofFile, 0);
  const exact = variants.map(({ name, weight: ofFile }): readonly [string, number] => {
    if (name === variant) return [name, own * total];
    return [name, name === baseline ? equal * total : ofFile * (ALL - own - equal)];
  });
  return Object.fromEntries(simplest(exact, ALL * total));
}

/** In percent where that is exact, so that people read what the plan says; otherwise as small as can be. */
function simplest(
  weights: readonly (readonly [string, number])[],
  total: number,
): readonly (readonly [string, number])[] {
  const inPercent = weights.map(([name, weight]) => [name, (100 * weight) / total] as const);
  if (inPercent.every(([, weight]) => Number.isInteger(weight))) return inPercent;
  const divisor = weights.reduce((sum, [, weight]) => greatestCommonDivisor(sum, weight), 0);
  return weights.map(([name, weight]) => [name, weight / divisor]);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/**
 * How an experiment is split while its rollout stands there. Where all units get one variant, the experiment is completed, so that it
 * reaches those too whom a rule, `forced` or an earlier sticky assignment would send elsewhere.
 *
 * @param experiment as its file says
 */
export function rolloutSplit(experiment: Experiment, plan: RolloutPlan, record: RolloutRecord): Split {
  const { control, variants } = experiment;
  const { state } = record;
  const weights = (weight: number) => rolloutWeights(variants, plan, weight);
  switch (state.kind) {
    case 'pending':
    case 'progressing':
    case 'paused':
    case 'waiting_for_approval': {
      const { weight } = trafficOf(plan, state);
      return { status: 'running', weights: weights(weight), winner: control.name, rollout: record };
    }
    case 'promoting':
    case 'succeeded':
      return { status: 'completed', weights: weights(100), winner: plan.variant, rollout: record };
    case 'rolling_back':
    case 'rolled_back':
    case 'aborted':
      return { status: 'completed', weights: weights(0), winner: control.name, rollout: record };
  }
}
