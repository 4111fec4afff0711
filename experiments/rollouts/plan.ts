import type { MatchRule } from '../targeting/match-rule.ts';

/** The least and the most that a value may be; at least one of the two. */
export interface ThresholdRange {
  readonly min: number | undefined;
  readonly max: number | undefined;
}

/** A query to a Prometheus; all values of its answer have to be in the range. */
export interface QueryCheck {
  readonly name: string;
  /** Of the Prometheus, `http://prometheus:9090`. */
  readonly address: string;
  /** PromQL; `{{ variant }}` and the other names of {@link QUERY_NAMES} stand for what they say. */
  readonly query: string;
  readonly range: ThresholdRange;
  readonly timeoutMs: number;
}

/** What a query may name in double braces. */
export const QUERY_NAMES = [
  'experiment',
  'model',
  'variant',
  'version',
  'control',
  'controlVersion',
  'interval',
] as const;

export interface WebhookCheck {
  readonly name: string;
  readonly url: string;
  readonly timeoutMs: number;
  readonly metadata: Readonly<Record<string, string>>;
}

/** What mirrored copies have to show; at least one of the two thresholds. */
export interface MirrorGate {
  /** 0 to 1, both excluded. */
  readonly minAgreement: number | undefined;
  /** The population stability index. */
  readonly maxDrift: number | undefined;
  readonly minComparisons: number;
}

/** What is asked beside the experiment's own guardrails. */
export interface Checks {
  readonly queries: readonly QueryCheck[];
  readonly webhooks: readonly WebhookCheck[];
  readonly mirror: MirrorGate | undefined;
}

export type Step =
  /** Percent of the units, 0 to 100. */
  | { readonly kind: 'setWeight'; readonly weight: number }
  /** undefined: until a person says so. */
  | { readonly kind: 'pause'; readonly durationMs: number | undefined }
  /** Waits until so many analyses have passed. */
  | { readonly kind: 'analysis'; readonly count: number; readonly checks: Checks }
  /** Who meets a rule gets the variant, and doesn't count; an empty list ends the rules before it. */
  | { readonly kind: 'match'; readonly rules: readonly MatchRule<never>[] }
  /** Percent of the requests, 0 to 100. */
  | { readonly kind: 'setMirrorRoute'; readonly percentage: number };

/** Faults that need no statistics, each with the number that rolls back; 0: never. */
export type HardFloor = Readonly<Record<FaultKind, number>>;

/** `worker_death` and `out_of_memory` are counted within a step, the others in a row. */
export const FAULT_KINDS = ['error', 'timeout', 'nan', 'worker_death', 'out_of_memory'] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];

/** How a variant comes to answer everybody: every default filled in. */
export interface RolloutPlan {
  /** The variant that is rolled out. */
  readonly variant: string;
  /** The variant that gets as large a share, and that is compared with in the control's place; undefined: the control. */
  readonly baseline: string | undefined;
  /** At least one. After the last of them all units get the variant. */
  readonly steps: readonly Step[];
  /** Between two analyses. */
  readonly intervalMs: number;
  /** Asked at every analysis; an analysis step may ask more. */
  readonly checks: Checks;
  /** Failed checks of a step that are put up with; what the guardrails prove is not. */
  readonly failureLimit: number;
  /** Inconclusive analyses in a row before it pauses for a person; undefined: it waits on. */
  readonly inconclusiveLimit: number | undefined;
  /** Units of the variant that have to have counted before an analysis may pass. */
  readonly minUnits: number;
  /** How long an analysis step may take before it is rolled back; undefined: as long as it takes. */
  readonly progressDeadlineMs: number | undefined;
  readonly onNoData: 'hold' | 'rollback' | 'warn';
  /** Whether it ends by itself, or waits for a person after the last step. */
  readonly autoPromote: boolean;
  readonly hardFloor: HardFloor;
}

/** What a step leaves in force: nothing but the plan and the step says it, so that it can't go astray. */
export interface Traffic {
  /** The variant's share of the units in percent. */
  readonly weight: number;
  readonly rules: readonly MatchRule<never>[];
  /** The share of the requests that are copied to the variant, in percent. */
  readonly mirror: number;
}

export const NO_TRAFFIC: Traffic = Object.freeze({ weight: 0, rules: [], mirror: 0 });
export const ALL_TRAFFIC: Traffic = Object.freeze({ weight: 100, rules: [], mirror: 0 });

/** What is in force at a step, counted from 0: what the steps up to it and itself have set. */
export function trafficAt({ steps }: RolloutPlan, step: number): Traffic {
  return steps.slice(0, step + 1).reduce<Traffic>((traffic, { ...taken }) => {
    switch (taken.kind) {
      case 'setWeight':
        return { ...traffic, weight: taken.weight };
      case 'match':
        return { ...traffic, rules: taken.rules };
      case 'setMirrorRoute':
        return { ...traffic, mirror: taken.percentage };
      case 'pause':
      case 'analysis':
        return traffic;
    }
  }, NO_TRAFFIC);
}

/** How many different weights a plan compares at: the error budget is split over them. */
export function weightStages({ steps }: RolloutPlan): number {
  return Math.max(
    1,
    steps.filter((step) => step.kind === 'setWeight' && step.weight > 0 && step.weight < 100).length,
  );
}
