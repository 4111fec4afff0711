import type { MetricRole } from './input.ts';
import type { SegmentRatio, VariantRatio } from '../sample-ratio.ts';
import type { Interval } from '../estimates/welch.ts';

/** An interval that is known, or null while there are too few units. An end that nothing limits is null as well. */
export type KnownInterval = readonly [low: number | null, high: number | null] | null;

/** One metric of one variant against control. */
export interface MetricResult {
  readonly name: string;
  readonly role: MetricRole;
  readonly variant: string;
  /** The variant's own value, and control's, over the epochs with the same weights. */
  readonly estimate: number;
  readonly control: number;
  /** Units that have an outcome, in both arms. */
  readonly units: number;
  /** (estimate - control) / |control|; null when control's value is zero. */
  readonly lift: number | null;
  /** The level of this metric's intervals, after alpha was split: they cover with probability 1 - alpha. */
  readonly alpha: number;
  /** For the lift, at one look that was planned. */
  readonly welch: KnownInterval;
  /** Of Welch's test; of quantiles, of the normal approximation. */
  readonly welchP: number;
  /** For the lift, at all looks together; the p-value is of no difference. */
  readonly anytime: { readonly interval: KnownInterval; readonly p: number };
  /** The difference on the metric's own scale; its intervals leave out zero exactly where their p-values are below alpha. Null for quantiles. */
  readonly difference: {
    readonly estimate: number;
    readonly welch: KnownInterval;
    readonly anytime: KnownInterval;
  } | null;
  /** The always-valid p-value after the correction over metrics and variants. */
  readonly adjustedP: number;
  /** Better, worse, or not known yet, at the corrected level. */
  readonly outcome: 'better' | 'worse' | 'open';
  readonly chanceToWin: number | null;
  /** In units of lift: what is lost on average by shipping the variant. */
  readonly expectedLoss: number | null;
  /** The share of variance that the covariate took away; null without one. */
  readonly varianceReduction: number | null;
  readonly power: {
    /** The smallest true lift that would be found by now with the wished probability. */
    readonly minimumDetectableLift: number | null;
    /** Units of all variants until the minimum effect would be found; null when it can't be told. */
    readonly unitsToGo: number | null;
    readonly daysToGo: number | null;
  };
}

export interface VariantResult {
  readonly name: string;
  readonly units: number;
  readonly exposures: number;
  /** Of this variant's outputs against control's; null where none are kept. */
  readonly drift: { readonly psi: number; readonly totalVariation: number } | null;
}

/** Whether a result may be believed at all. */
export interface Health {
  readonly srm: {
    /** Of the sequential test. */
    readonly p: number;
    readonly ok: boolean;
    /** Of the chi-square test, for one planned look. */
    readonly chiSquareP: number;
    readonly variants: readonly VariantRatio[];
    /** Where the mismatch is: segments with one of their own, by dimension. */
    readonly causes: Readonly<Record<string, readonly SegmentRatio[]>>;
  };
  /** Whether each variant has the units that its goals need before a sequence may be believed. */
  readonly units: { readonly least: number; readonly ok: boolean };
  /** Whether units get outcomes, and alike in all variants (p of the always-valid test of that). */
  readonly outcomes: { readonly share: number; readonly p: number; readonly ok: boolean };
  readonly overrides: { readonly share: number; readonly ok: boolean };
  /** Whether each variant was one model all the while: what several have come to can't be told apart. */
  readonly models: {
    readonly ok: boolean;
    /** Variants whose files were changed under the number of their version. */
    readonly changed: readonly string[];
    /** Requests by the digest of the model, by variant. */
    readonly variants: Readonly<Record<string, Readonly<Record<string, number>>>>;
  };
  /**
   * Whether variants turn callers away alike as mistaken. Callers' own mistakes fall to all variants alike, so a difference is the
   * variant's: it takes other requests than control does. p is of the always-valid test of no difference.
   */
  readonly clientErrors: {
    readonly p: number;
    readonly ok: boolean;
    /** Variants that surely turn more away than control does. */
    readonly worse: readonly string[];
    /** The share of the units whose first request was turned away. */
    readonly shares: Readonly<Record<string, number>>;
  };
}

/** What to do, in the order in which it is looked for. */
export type Verdict =
  | {
      readonly kind: 'broken';
      readonly cause: 'models' | 'sample_ratio' | 'client_errors' | 'missing_outcomes' | 'overrides';
    }
  | { readonly kind: 'ship'; readonly variant: string }
  | {
      readonly kind: 'keep';
      readonly variant: string;
      /** `guardrail`: a fixed value was crossed; `worse`: a goal or a guardrail is, against control. */
      readonly why: 'guardrail' | 'worse' | 'no_minimum_effect';
    }
  | {
      readonly kind: 'keep_running';
      /** Units of all variants; null when it can't be told. */
      readonly unitsToGo: number | null;
      /** Guardrails that nothing is known of yet, where they alone hold back a variant that would be shipped. */
      readonly unknownGuardrails?: readonly string[];
    };

/** What an experiment says, in the contract's words. */
export interface Results {
  readonly experiment: string;
  readonly phase: number;
  /** In plain language. */
  readonly verdict: string;
  /** The same, for machines. */
  readonly decision: Verdict;
  readonly health: Health;
  readonly variants: readonly VariantResult[];
  readonly metrics: readonly MetricResult[];
}

/** An interval as JSON has it: no infinities. */
export function knownInterval(interval: Interval | undefined): KnownInterval {
  if (interval === undefined) return null;
  const known = (end: number): number | null => (Number.isFinite(end) ? end : null);
  return [known(interval[0]), known(interval[1])];
}
