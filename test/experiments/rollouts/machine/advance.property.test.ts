import fc from 'fast-check';
import { expect, test } from 'vitest';
import { advance } from '../../../../experiments/rollouts/machine/advance.ts';
import { beginRollout } from '../../../../experiments/rollouts/machine/begin.ts';
import type { RolloutEvent } from '../../../../experiments/rollouts/machine/event.ts';
import { ANALYSIS_OUTCOMES, isProven, judgementOf } from '../../../../experiments/rollouts/judgement.ts';
import type { Finding } from '../../../../experiments/rollouts/judgement.ts';
import { FAULT_KINDS } from '../../../../experiments/rollouts/plan.ts';
import { CAUSE_CODES, readRecord, trafficOf } from '../../../../experiments/rollouts/state.ts';
import type { RolloutState } from '../../../../experiments/rollouts/state.ts';
import { samplePlan } from '../sample-plan.ts';

const SOURCES: readonly Finding['source'][] = [
  'guardrail',
  'threshold',
  'mirror',
  'query',
  'webhook',
  'units',
  'health',
];

const findings = fc.array(
  fc.record({
    source: fc.constantFrom(...SOURCES),
    name: fc.constant('errors'),
    outcome: fc.constantFrom(...ANALYSIS_OUTCOMES),
    message: fc.constant('a finding'),
  }),
  { maxLength: 3 },
);

const event: fc.Arbitrary<RolloutEvent> = fc.oneof(
  { weight: 2, arbitrary: fc.constant({ kind: 'clock' } as const) },
  { weight: 2, arbitrary: fc.constant({ kind: 'in_force' } as const) },
  {
    weight: 6,
    arbitrary: findings.map((found) => ({ kind: 'analysed', judgement: judgementOf(found) }) as const),
  },
  { weight: 3, arbitrary: fc.constant({ kind: 'analysed', judgement: judgementOf([]) } as const) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('hard_floor' as const),
      fault: fc.constantFrom(...FAULT_KINDS),
      count: fc.constant(3),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('command' as const),
      command: fc.constantFrom('promote', 'promote_full', 'pause', 'resume', 'rollback'),
      by: fc.constant('ada'),
      reason: fc.constant('because'),
    }),
  },
);

const happening = fc.record({
  event,
  isReady: fc.oneof(
    { weight: 9, arbitrary: fc.constant(true) },
    { weight: 1, arbitrary: fc.constant(false) },
  ),
  afterMs: fc.integer({ min: 0, max: 400_000 }),
});

type Steps = NonNullable<NonNullable<Parameters<typeof samplePlan>[0]>['steps']>;

const STEPS: readonly Steps[] = [
  [{ setWeight: 1 }, { analysis: {} }, { setWeight: 50 }, { analysis: { count: 2 } }],
  [{ match: [{ headers: { a: 'b' } }] }, { pause: { duration: '2m' } }, { setWeight: 10 }, { pause: {} }],
  [{ setWeight: 0 }, { pause: {} }, { setWeight: 100 }, { analysis: {} }],
];

const plan = fc
  .record({
    steps: fc.constantFrom(...STEPS),
    failureLimit: fc.integer({ min: 0, max: 2 }),
    inconclusiveLimit: fc.integer({ min: 0, max: 2 }),
    progressDeadline: fc.constantFrom('1m', '10m'),
    onNoData: fc.constantFrom('hold' as const, 'rollback' as const, 'warn' as const),
    autoPromote: fc.boolean(),
  })
  .map(samplePlan);

const ENDED: readonly RolloutState['kind'][] = ['rolled_back', 'aborted'];

test('whatever happens in whatever order, a rollout keeps its promises', () => {
  fc.assert(
    fc.property(plan, fc.array(happening, { maxLength: 60 }), (rollout, happenings) => {
      let state = beginRollout(0);
      let nowMs = 0;
      for (const { event: happened, isReady, afterMs } of happenings) {
        nowMs += afterMs;
        const before = state;
        const frozen = JSON.stringify(before);
        const transition = advance(rollout, state, happened, { nowMs, isReady });
        // Pure: nothing is changed in place, and asking twice gives the same.
        expect(JSON.stringify(before)).toBe(frozen);
        expect(advance(rollout, before, happened, { nowMs, isReady })).toEqual(transition);
        state = transition?.state ?? state;
        const [was, is] = [trafficOf(rollout, before), trafficOf(rollout, state)];

        // A version that isn't ready never gets a share, and loses the one it has.
        if (!isReady) expect(is.weight > was.weight).toBe(false);
        if (!isReady && state.kind !== 'succeeded') expect(is.weight + is.rules.length).toBe(0);
        // What is proven worse, or meets a hard floor, rolls back before any gate is looked at.
        const isLive = 'at' in before || before.kind === 'promoting';
        const isBad =
          happened.kind === 'hard_floor' ||
          (happened.kind === 'analysed' && happened.judgement.findings.some(isProven));
        if (isLive && isBad) expect(state.kind).toBe('rolling_back');
        // What has ended is moved on by a person only.
        if (ENDED.includes(before.kind) && transition !== undefined) expect(happened.kind).toBe('command');
        if (before.kind === 'rolling_back' && happened.kind !== 'command') expect(is.weight).toBe(0);
        // Everybody gets it by the plan's end or by a person.
        if (is.weight === 100 && was.weight < 100 && happened.kind === 'analysed')
          expect(happened.judgement.findings.some(isProven)).toBe(false);
        if (transition !== undefined) {
          expect(CAUSE_CODES).toContain(transition.cause.code);
          expect(transition.cause.message).not.toBe('');
          expect(transition.cause.by !== undefined).toBe(transition.cause.code === 'person');
          if (happened.kind === 'command')
            expect(['person', 'variant_not_ready']).toContain(transition.cause.code);
        }
        // It can be stored and read again as it was.
        const record = { target: { variant: 'v2', version: 2, phase: 1 }, state };
        expect(readRecord(JSON.parse(JSON.stringify(record)))).toEqual(record);
      }
    }),
    { numRuns: 1500 },
  );
});

test('a command that was obeyed changes nothing when it is given again at once', () => {
  fc.assert(
    fc.property(
      plan,
      fc.array(happening, { maxLength: 20 }),
      fc.constantFrom('promote_full' as const, 'pause' as const, 'rollback' as const),
      (rollout, happenings, command) => {
        let state = beginRollout(0);
        let nowMs = 0;
        for (const { event: happened, isReady, afterMs } of happenings) {
          nowMs += afterMs;
          state = advance(rollout, state, happened, { nowMs, isReady })?.state ?? state;
        }
        const order: RolloutEvent = { kind: 'command', command, by: 'ada', reason: 'because' };
        const surroundings = { nowMs, isReady: true };
        const obeyed = advance(rollout, state, order, surroundings)?.state ?? state;
        expect(advance(rollout, obeyed, order, surroundings)).toBeUndefined();
      },
    ),
  );
});
