import { Type } from 'typebox';
import type { Static } from 'typebox';
import { Value } from 'typebox/value';
import { ALL_TRAFFIC, NO_TRAFFIC, trafficAt } from './plan.ts';
import type { RolloutPlan, Traffic } from './plan.ts';

const only = { additionalProperties: false } as const;

export const CAUSE_CODES = [
  /** What is rolled out is new. */
  'new_version',
  'variant_ready',
  'variant_not_ready',
  /** The variant can't answer what the control answers. */
  'signature',
  'pause_over',
  'analysis_passed',
  /** An analysis changed a count, and nothing else. */
  'analysis',
  'guardrail',
  'threshold',
  'mirror',
  'health',
  'query',
  'webhook',
  'hard_floor',
  'no_data',
  'inconclusive',
  'progress_deadline',
  /** The weights that were stored are in force. */
  'in_force',
  'person',
] as const;

export type CauseCode = (typeof CAUSE_CODES)[number];

/** Why a rollout moved. */
export const RolloutCauseSchema = Type.Object(
  {
    code: Type.Enum([...CAUSE_CODES]),
    /** In plain words, with the figures. */
    message: Type.String(),
    /** Who it was; left out: nobody, the rollout itself. */
    by: Type.Optional(Type.String()),
  },
  only,
);

/** Why something happened. */
export type Cause = Readonly<Static<typeof RolloutCauseSchema>>;

const Count = () => Type.Integer({ minimum: 0 });

const ProgressSchema = Type.Object(
  {
    /** The step that it waits at, from 0; as many as there are steps: all are done. */
    step: Count(),
    /** When it came there. */
    sinceMs: Type.Number(),
    /** Analyses that passed at this step. */
    passes: Count(),
    /** Checks that failed at this step. */
    failures: Count(),
    /** Inconclusive analyses in a row. */
    inconclusive: Count(),
  },
  only,
);

/** Where a rollout stands within its plan. */
export type Progress = Readonly<Static<typeof ProgressSchema>>;

const HoldSchema = Type.Union([
  Type.Object({ by: Type.Literal('plan'), untilMs: Type.Number() }, only),
  /** What was waited for goes on where it stood: what was left of a pause of the plan, or an approval. */
  Type.Object(
    {
      by: Type.Literal('person'),
      remainingMs: Type.Optional(Type.Number()),
      awaited: Type.Optional(Type.Literal(true)),
    },
    only,
  ),
  Type.Object({ by: Type.Literal('inconclusive') }, only),
  /** What is measured can't be believed, and no later look finds it otherwise. */
  Type.Object({ by: Type.Literal('health') }, only),
]);

/** Why it is paused. */
export type Hold = Readonly<Static<typeof HoldSchema>>;

const since = { sinceMs: Type.Number() };

export const RolloutStateSchema = Type.Union([
  /** The variant is not ready, or nobody has looked yet. */
  Type.Object({ kind: Type.Literal('pending'), ...since }, only),
  /** Waits for its analysis to pass. */
  Type.Object({ kind: Type.Literal('progressing'), at: ProgressSchema }, only),
  Type.Object({ kind: Type.Literal('paused'), at: ProgressSchema, hold: HoldSchema }, only),
  Type.Object({ kind: Type.Literal('waiting_for_approval'), at: ProgressSchema }, only),
  /** All units get the variant as soon as that is in force. */
  Type.Object({ kind: Type.Literal('promoting'), ...since }, only),
  Type.Object({ kind: Type.Literal('succeeded'), ...since }, only),
  /** No unit gets the variant as soon as that is in force. */
  Type.Object(
    {
      kind: Type.Literal('rolling_back'),
      to: Type.Enum(['rolled_back', 'aborted']),
      ...since,
      cause: RolloutCauseSchema,
    },
    only,
  ),
  /** By itself. */
  Type.Object({ kind: Type.Literal('rolled_back'), ...since, cause: RolloutCauseSchema }, only),
  /** By a person. */
  Type.Object({ kind: Type.Literal('aborted'), ...since, cause: RolloutCauseSchema }, only),
]);

/** Where a rollout stands. Times are in milliseconds since 1970. */
export type RolloutState = Readonly<Static<typeof RolloutStateSchema>>;

export type RolloutStateKind = RolloutState['kind'];

export const RolloutTargetSchema = Type.Object(
  { variant: Type.String(), version: Type.Integer(), phase: Type.Integer() },
  only,
);

const RecordSchema = Type.Object(
  {
    target: RolloutTargetSchema,
    state: RolloutStateSchema,
  },
  only,
);

/** A rollout as it is stored: plain JSON. */
export type RolloutRecord = Readonly<Static<typeof RecordSchema>>;

/** What is rolled out: another target is another rollout, which starts clean. */
export type RolloutTarget = RolloutRecord['target'];

/** @returns undefined where something else is stored */
export function readRecord(value: unknown): RolloutRecord | undefined {
  return Value.Check(RecordSchema, value) ? value : undefined;
}

export function isSameTarget(a: RolloutTarget, b: RolloutTarget): boolean {
  return a.variant === b.variant && a.version === b.version && a.phase === b.phase;
}

/** What a state leaves in force. */
export function trafficOf(plan: RolloutPlan, state: RolloutState): Traffic {
  switch (state.kind) {
    case 'progressing':
    case 'paused':
    case 'waiting_for_approval':
      return trafficAt(plan, state.at.step);
    case 'promoting':
    case 'succeeded':
      return ALL_TRAFFIC;
    case 'pending':
    case 'rolling_back':
    case 'rolled_back':
    case 'aborted':
      return NO_TRAFFIC;
  }
}

/** Whether a state sends more to the variant than another one: more units, or whom a rule names. */
export function givesMore(plan: RolloutPlan, after: RolloutState, before: RolloutState): boolean {
  const [next, last] = [trafficOf(plan, after), trafficOf(plan, before)];
  return next.weight > last.weight || next.rules.length > last.rules.length;
}

/** Whether it took itself back, by a rule of its plan, and nobody has begun it again. */
export function isTakenBackByItself(
  state: RolloutState,
): state is Extract<RolloutState, { readonly kind: 'rolling_back' | 'rolled_back' }> {
  return state.kind === 'rolled_back' || (state.kind === 'rolling_back' && state.to === 'rolled_back');
}

/** Whether it is over: only a person or a new version moves it on. */
export function isOver({ kind }: RolloutState): boolean {
  return kind === 'succeeded' || kind === 'rolled_back' || kind === 'aborted';
}
