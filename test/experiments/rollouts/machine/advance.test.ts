import { describe, expect, test } from 'vitest';
import { advance } from '../../../../experiments/rollouts/machine/advance.ts';
import { beginRollout } from '../../../../experiments/rollouts/machine/begin.ts';
import type { Command, RolloutEvent, Transition } from '../../../../experiments/rollouts/machine/event.ts';
import { judgementOf } from '../../../../experiments/rollouts/judgement.ts';
import type { Finding } from '../../../../experiments/rollouts/judgement.ts';
import type { RolloutPlan } from '../../../../experiments/rollouts/plan.ts';
import { trafficOf } from '../../../../experiments/rollouts/state.ts';
import type { RolloutState } from '../../../../experiments/rollouts/state.ts';
import { samplePlan } from '../sample-plan.ts';

/** A rollout that is driven by hand. */
class Walk {
  readonly plan: RolloutPlan;
  state: RolloutState = beginRollout(0);
  nowMs = 0;
  isReady = true;

  constructor(file: Parameters<typeof samplePlan>[0]) {
    this.plan = samplePlan(file);
  }

  take(event: RolloutEvent): Transition | undefined {
    const transition = advance(this.plan, this.state, event, { nowMs: this.nowMs, isReady: this.isReady });
    if (transition !== undefined) this.state = transition.state;
    return transition;
  }

  after(ms: number, event: RolloutEvent = { kind: 'clock' }): Transition | undefined {
    this.nowMs += ms;
    return this.take(event);
  }

  get weight(): number {
    return trafficOf(this.plan, this.state).weight;
  }

  /** Ready, and at its first step. */
  static begun(file: Parameters<typeof samplePlan>[0]): Walk {
    const walk = new Walk(file);
    walk.take({ kind: 'clock' });
    return walk;
  }
}

const finding = (outcome: Finding['outcome'], source: Finding['source'] = 'guardrail'): Finding => ({
  source,
  name: 'errors',
  outcome,
  message: `errors: ${outcome}`,
});
const analysed = (...findings: readonly Finding[]): RolloutEvent => ({
  kind: 'analysed',
  judgement: judgementOf(findings),
});
const PASS = analysed(finding('pass'));
const command = (what: Command): RolloutEvent => ({
  kind: 'command',
  command: what,
  by: 'ada',
  reason: 'because',
});

test('a good version walks through the canary’s weights and is promoted', () => {
  const walk = new Walk({ preset: 'canary' });
  const weights = [walk.weight];
  walk.take({ kind: 'clock' });
  weights.push(walk.weight);
  while (walk.state.kind === 'progressing') {
    walk.after(1000, PASS);
    weights.push(walk.weight);
  }
  expect(weights).toEqual([0, 1, 5, 10, 25, 50, 100]);
  expect(walk.state.kind).toBe('promoting');
  expect(walk.take({ kind: 'in_force' })).toEqual({
    state: { kind: 'succeeded', sinceMs: 5000 },
    cause: { code: 'in_force', message: 'all units get v2' },
  });
});

test('nobody gets a version that isn’t ready, and one that no longer is loses its share', () => {
  const walk = new Walk({ preset: 'canary' });
  walk.isReady = false;
  expect(walk.take({ kind: 'clock' })).toBeUndefined();
  expect(walk.take(command('promote'))).toBeUndefined();
  expect(walk.take(command('promote_full'))).toBeUndefined();
  walk.isReady = true;
  expect(walk.take({ kind: 'clock' })?.cause.code).toBe('variant_ready');
  walk.isReady = false;
  expect(walk.take(PASS)?.cause).toEqual({
    code: 'variant_not_ready',
    message: "v2 can't answer, and 1 % of the units got it",
  });
  expect(walk.state).toMatchObject({ kind: 'rolling_back', to: 'rolled_back' });
  expect(walk.weight).toBe(0);
});

describe('an analysis', () => {
  test('that finds a guardrail worse rolls back, whatever else passes', () => {
    const walk = Walk.begun({ preset: 'canary', failureLimit: 5 });
    expect(walk.take(analysed(finding('pass', 'query'), finding('fail')))?.cause).toEqual({
      code: 'guardrail',
      message: 'errors: fail',
    });
    expect(walk.weight).toBe(0);
    walk.take({ kind: 'in_force' });
    expect(walk.state.kind).toBe('rolled_back');
  });

  test('rolls back while it is paused or waits for a person, too', () => {
    for (const steps of [
      [{ setWeight: 5 }, { pause: {} }],
      [{ setWeight: 5 }, { pause: { duration: '1h' } }],
    ]) {
      const walk = Walk.begun({ steps });
      expect(walk.take(analysed(finding('fail', 'threshold')))?.cause.code).toBe('threshold');
    }
    const held = Walk.begun({ preset: 'canary' });
    held.take(command('pause'));
    expect(held.take(analysed(finding('fail')))?.state.kind).toBe('rolling_back');
  });

  test('has failed queries and webhooks counted, and rolls back beyond failureLimit', () => {
    const walk = Walk.begun({ preset: 'canary', failureLimit: 2 });
    expect(walk.take(analysed(finding('fail', 'query')))?.state).toMatchObject({
      kind: 'progressing',
      at: { failures: 1 },
    });
    expect(walk.take(PASS)?.state).toMatchObject({ at: { step: 3, failures: 0 } });
    walk.take(analysed(finding('fail', 'query'), finding('fail', 'webhook')));
    expect(walk.take(analysed(finding('fail', 'webhook')))?.cause).toEqual({
      code: 'webhook',
      message: 'errors: fail, the 3. failure of at most 2',
    });
  });

  test('has to pass as often as its step says', () => {
    const walk = Walk.begun({ steps: [{ setWeight: 5 }, { analysis: { count: 3 } }] });
    walk.take(PASS);
    walk.take(analysed(finding('inconclusive')));
    expect(walk.take(PASS)?.state).toMatchObject({ kind: 'progressing', at: { passes: 2, inconclusive: 0 } });
    expect(walk.take(PASS)?.state.kind).toBe('promoting');
  });

  test('without data is waited out, rolled back or let pass, as onNoData says', () => {
    const without = analysed(finding('no_data', 'units'), finding('pass'));
    const walk = (onNoData: 'hold' | 'rollback' | 'warn') =>
      Walk.begun({ preset: 'canary', onNoData }).take(without);
    expect(walk('hold')).toBeUndefined();
    expect(walk('rollback')?.cause.code).toBe('no_data');
    expect(walk('warn')).toMatchObject({
      state: { kind: 'progressing', at: { step: 3 } },
      cause: { message: expect.stringContaining('onNoData: warn') as string },
    });
  });

  test('that is inconclusive more often than inconclusiveLimit pauses for a person', () => {
    const walk = Walk.begun({ preset: 'canary', inconclusiveLimit: 1 });
    walk.take(analysed(finding('inconclusive')));
    expect(walk.take(analysed(finding('inconclusive')))).toMatchObject({
      state: { kind: 'paused', hold: { by: 'inconclusive' } },
      cause: { code: 'inconclusive' },
    });
    expect(walk.take(PASS)).toBeUndefined();
    walk.take(command('resume'));
    expect(walk.take(PASS)?.state).toMatchObject({ kind: 'progressing', at: { step: 3 } });
  });

  test('that can’t be believed holds', () => {
    expect(Walk.begun({ preset: 'canary' }).take(analysed(finding('unhealthy', 'health')))).toBeUndefined();
  });

  test('that never passes is rolled back at the deadline, unless the last one passes', () => {
    const walk = Walk.begun({ preset: 'canary', progressDeadline: '10m' });
    expect(walk.after(599_999)).toBeUndefined();
    expect(walk.after(1, analysed(finding('no_data', 'units')))?.cause).toEqual({
      code: 'progress_deadline',
      message: 'step 2 has not passed in 600 s: errors: no_data',
    });
    const late = Walk.begun({ preset: 'canary', progressDeadline: '10m' });
    expect(late.after(600_000, PASS)?.state).toMatchObject({ kind: 'progressing', at: { step: 3 } });
  });
});

test('a hard floor rolls back at once, also while all is being promoted', () => {
  const floor: RolloutEvent = { kind: 'hard_floor', fault: 'nan', count: 3 };
  const walk = Walk.begun({ preset: 'canary' });
  expect(walk.take(floor)?.cause).toEqual({
    code: 'hard_floor',
    message: 'v2: 3 answers in a row had a value that is not finite',
  });
  const promoted = Walk.begun({ preset: 'canary' });
  promoted.take(command('promote_full'));
  expect(promoted.take(floor)?.state.kind).toBe('rolling_back');
});

describe('a pause', () => {
  test('of the plan is over by itself, and one without a duration waits for a person', () => {
    const walk = Walk.begun({
      steps: [{ setWeight: 5 }, { pause: { duration: '10m' } }, { setWeight: 50 }, { pause: {} }],
    });
    expect(walk.after(599_999)).toBeUndefined();
    expect(walk.after(1)?.cause.code).toBe('pause_over');
    expect([walk.state.kind, walk.weight]).toEqual(['waiting_for_approval', 50]);
    expect(walk.after(1e9, PASS)).toBeUndefined();
    expect(walk.take(command('promote'))?.state.kind).toBe('promoting');
  });

  test('by a person keeps the weight, and what was left of the plan’s pause', () => {
    const walk = Walk.begun({ steps: [{ setWeight: 5 }, { pause: { duration: '10m' } }] });
    walk.after(60_000, command('pause'));
    expect(walk.weight).toBe(5);
    expect(walk.take(command('pause'))).toBeUndefined();
    expect(walk.after(3_600_000)).toBeUndefined();
    walk.take(command('resume'));
    expect(walk.after(539_999)).toBeUndefined();
    expect(walk.after(1)?.state.kind).toBe('promoting');
  });
});

test('without autoPromote the last step waits for a person', () => {
  const walk = Walk.begun({ steps: [{ setWeight: 5 }, { analysis: {} }], autoPromote: false });
  expect(walk.take(PASS)?.state).toMatchObject({ kind: 'waiting_for_approval', at: { step: 2 } });
  expect(walk.weight).toBe(5);
  expect(walk.take(command('resume'))?.state.kind).toBe('promoting');
});

test('what a person rolled back stays aborted until a person says otherwise', () => {
  const walk = Walk.begun({ preset: 'canary' });
  expect(walk.take(command('rollback'))?.cause).toEqual({ code: 'person', message: 'because', by: 'ada' });
  walk.take({ kind: 'in_force' });
  expect(walk.state.kind).toBe('aborted');
  for (const event of [PASS, command('rollback'), command('pause'), { kind: 'clock' } as const])
    expect(walk.after(1e9, event)).toBeUndefined();
  expect(walk.take(command('resume'))?.state.kind).toBe('pending');
});

test('a rollout that succeeded can be rolled back by hand', () => {
  const walk = Walk.begun({ preset: 'canary' });
  walk.take(command('promote_full'));
  walk.take({ kind: 'in_force' });
  expect(walk.take(analysed(finding('fail')))).toBeUndefined();
  walk.take(command('rollback'));
  expect([walk.state.kind, walk.weight]).toEqual(['rolling_back', 0]);
});
