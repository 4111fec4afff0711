import { compareArms, difference, effectiveUnitsToBelieve } from '../estimates/comparison.ts';
import { proportionStrata } from '../estimates/proportion.ts';
import { confidenceSequence } from '../sequential/confidence-sequence.ts';
import { equalSharesP } from '../sequential/equal-shares.ts';
import type { ShareCounts } from '../sequential/equal-shares.ts';
import {
  chiSquareSampleRatio,
  mismatchedSegments,
  sampleRatioByVariant,
  sequentialSampleRatio,
} from '../sample-ratio.ts';
import type { AssignmentCounts } from '../sample-ratio.ts';
import type { AnalysisInput, AnalysisSettings, EpochState } from './input.ts';
import type { Health } from './results.ts';
import { stateOf, unitsOf } from './strata.ts';
import { addUp, ownValue } from '../../named-values.ts';

/**
 * Whether the result of an experiment may be believed: whether units fell to variants as they should, got outcomes, alike in all
 * variants, and were few enough to be forced by hand.
 *
 * @param believed whether each goal has the units that its sequence needs
 */
export function healthOf(input: AnalysisInput, settings: AnalysisSettings, believed: boolean): Health {
  const { epochs, requests, variants } = input;
  const counts = epochs.map((epoch): AssignmentCounts => ({
    weights: epoch.weights,
    units: Object.fromEntries(Object.entries(epoch.variants).map(([name, { units }]) => [name, units])),
  }));
  const { p } = sequentialSampleRatio(counts);
  const causes = Object.entries(input.breakdowns ?? {}).map(([dimension, breakdown]) => {
    const segments = Object.entries(breakdown).map(([name, ofSegment]) => ({ name, epochs: ofSegment }));
    return [dimension, mismatchedSegments(segments, settings.healthAlpha)] as const;
  });
  const overrideShare = requests.all === 0 ? 0 : requests.overridden / requests.all;
  return {
    srm: {
      p,
      ok: p >= settings.healthAlpha,
      chiSquareP: chiSquareSampleRatio(counts).p,
      variants: sampleRatioByVariant(counts),
      causes: Object.fromEntries(causes),
    },
    units: {
      least: Math.min(...variants.map((name) => totalUnits(input, name))),
      ok: believed,
    },
    outcomes: outcomeHealth(input, settings),
    overrides: { share: overrideShare, ok: overrideShare <= settings.mostOverrides },
    models: modelHealth(input),
    clientErrors: clientErrorHealth(input, settings),
  };
}

function totalUnits({ epochs }: AnalysisInput, variant: string): number {
  return epochs.reduce((sum, epoch) => sum + (ownValue(epoch.variants, variant)?.units ?? 0), 0);
}

/** Fewer units than this have too few outcomes by chance. */
const LEAST_UNITS = 100;

/**
 * How many of the units got an outcome of the worst goal that outcomes are sent for (or of another role's metric, where that is awaited), and whether
 * variants differ in that: a variant whose outcomes get lost looks better or worse than it is.
 */
function outcomeHealth(input: AnalysisInput, settings: AnalysisSettings): Health['outcomes'] {
  const { awaited = 'goal' } = input;
  const sent = input.metrics.filter(
    ({ role, entersByItself }) => role === awaited && entersByItself !== true,
  );
  const challengers = input.variants.filter((name) => name !== input.control);
  let [worstShare, smallestP] = [1, 1];
  for (const { name: metric } of sent) {
    let [units, outcomes] = [0, 0];
    const armOf = (epoch: AnalysisInput['epochs'][number], name: string): readonly [number, number] => {
      const state = ownValue(epoch.variants, name);
      const outcome = stateOf(epoch, name, metric);
      return [state?.units ?? 0, outcome === undefined ? 0 : unitsOf(outcome)];
    };
    for (const epoch of input.epochs) {
      for (const name of input.variants) {
        const [all, withOutcome] = armOf(epoch, name);
        units += all;
        outcomes += withOutcome;
      }
    }
    if (units >= LEAST_UNITS) worstShare = Math.min(worstShare, outcomes / units);
    for (const challenger of challengers) {
      const arms = input.epochs.map((epoch) => ({
        control: armOf(epoch, input.control),
        variant: armOf(epoch, challenger),
      }));
      smallestP = Math.min(smallestP, unequalP(arms, settings));
    }
  }
  const p = Math.min(1, smallestP * Math.max(1, sent.length * challengers.length));
  return {
    share: worstShare,
    p,
    ok: worstShare >= settings.leastOutcomes && p >= settings.healthAlpha,
  };
}

function modelHealth({ variants, epochs }: AnalysisInput): Health['models'] {
  const byVariant = variants.map(
    (name) => [name, addUp(epochs.map((epoch) => ownValue(epoch.variants, name)?.models ?? {}))] as const,
  );
  const changed = byVariant.filter(([, requests]) => Object.keys(requests).length > 1).map(([name]) => name);
  return { ok: changed.length === 0, changed, variants: Object.fromEntries(byVariant) };
}

/** Whether variants turn callers away alike as mistaken. */
function clientErrorHealth(
  { control, variants, epochs }: AnalysisInput,
  settings: AnalysisSettings,
): Health['clientErrors'] {
  const armOf = (epoch: EpochState, name: string) =>
    ownValue(epoch.variants, name)?.judged ?? ([0, 0] as const);
  const challengers = variants.filter((name) => name !== control);
  const tested = challengers.map((name) => {
    const arms = epochs.map((epoch) => ({ control: armOf(epoch, control), variant: armOf(epoch, name) }));
    return {
      name,
      p: Math.min(1, unequalP(arms, settings) * challengers.length),
      isMore: excessOf(arms) > 0,
    };
  });
  const p = Math.min(1, ...tested.map((one) => one.p));
  const shareOf = (name: string): number => {
    const arms = epochs.map((epoch) => armOf(epoch, name));
    const units = arms.reduce((sum, [judged]) => sum + judged, 0);
    return units === 0 ? 0 : arms.reduce((sum, [, refused]) => sum + refused, 0) / units;
  };
  return {
    p,
    ok: p >= settings.healthAlpha,
    worse: tested.filter((one) => one.isMore && one.p < settings.healthAlpha).map(({ name }) => name),
    shares: Object.fromEntries(variants.map((name) => [name, shareOf(name)])),
  };
}

/** Successes of the variant beyond those that it would have at the share of both arms together, epoch by epoch. */
function excessOf(arms: readonly ShareCounts[]): number {
  return arms.reduce((excess, { control, variant }) => {
    const units = control[0] + variant[0];
    return units === 0 ? excess : excess + variant[1] - (variant[0] * (control[1] + variant[1])) / units;
  }, 0);
}

/**
 * The always-valid p-value of "a success is as likely in both arms". Each of the two tests has half of the level: the exact one has no burn-in; the other
 * loses nothing to epochs, of which there may be many.
 */
function unequalP(arms: readonly ShareCounts[], settings: AnalysisSettings): number {
  return 2 * Math.min(equalSharesP(arms), asymptoticP(arms, settings));
}

/** 1 before its burn-in is over: where nearly all units have an outcome, a small arm shows no variance at first. */
function asymptoticP(
  arms: readonly ShareCounts[],
  { healthAlpha: alpha, plannedUnits }: AnalysisSettings,
): number {
  const comparison = compareArms(proportionStrata(arms));
  if (comparison === undefined || comparison.effectiveUnits < effectiveUnitsToBelieve(comparison)) return 1;
  const tuning = { plannedTime: plannedUnits, alpha };
  return confidenceSequence(difference(comparison), comparison.effectiveUnits, alpha, tuning)?.p ?? 1;
}
