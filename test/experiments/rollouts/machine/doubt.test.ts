/** What can't be believed any more, however long it waits, is left to a person. */
import { expect, test } from 'vitest';
import { judgementOf } from '../../../../experiments/rollouts/judgement.ts';
import type { Finding } from '../../../../experiments/rollouts/judgement.ts';
import { advance } from '../../../../experiments/rollouts/machine/advance.ts';
import { beginRollout } from '../../../../experiments/rollouts/machine/begin.ts';
import type { Command, RolloutEvent, Transition } from '../../../../experiments/rollouts/machine/event.ts';
import { readRecord } from '../../../../experiments/rollouts/state.ts';
import type { RolloutState } from '../../../../experiments/rollouts/state.ts';
import { samplePlan } from '../sample-plan.ts';

const DOUBT: Finding = {
  source: 'health',
  name: 'models',
  outcome: 'unhealthy',
  message: 'the files of v1 were changed',
  isLasting: true,
};
const PASS: Finding = { source: 'guardrail', name: 'errors', outcome: 'pass', message: 'fine' };
const analysed = (...findings: readonly Finding[]): RolloutEvent => ({
  kind: 'analysed',
  judgement: judgementOf(findings),
});
const command = (what: Command): RolloutEvent => ({
  kind: 'command',
  command: what,
  by: 'ada',
  reason: 'because',
});

/** A rollout at its first step, driven by hand. */
function begun(file: Parameters<typeof samplePlan>[0]) {
  const plan = samplePlan(file);
  let state: RolloutState = beginRollout(0);
  const take = (event: RolloutEvent, nowMs = 0): Transition | undefined => {
    const transition = advance(plan, state, event, { nowMs, isReady: true });
    state = transition?.state ?? state;
    return transition;
  };
  take({ kind: 'clock' });
  return { take, state: () => state };
}

test.each<[string, Parameters<typeof samplePlan>[0]]>([
  ['an analysis', { preset: 'canary', minUnits: 40 }],
  ['a time', { steps: [{ setWeight: 5 }, { pause: { duration: '1m' } }, { setWeight: 50 }, { pause: {} }] }],
])('a rollout that waits for %s is paused by it, with the cause, and goes on by no time', (_, file) => {
  const rollout = begun(file);
  expect(rollout.take(analysed(PASS, DOUBT))?.cause).toEqual({ code: 'health', message: DOUBT.message });
  expect(rollout.state()).toMatchObject({ kind: 'paused', at: { step: 1 }, hold: { by: 'health' } });
  expect(rollout.take({ kind: 'clock' }, 3_600_000)).toBeUndefined();
  expect(rollout.take(analysed(PASS, DOUBT))).toBeUndefined();
  expect(
    readRecord({ target: { variant: 'v2', version: 2, phase: 1 }, state: rollout.state() }),
  ).toBeDefined();
});

test('who resumes it has it looked at again, and who promotes it by hand is not asked twice', () => {
  const rollout = begun({ preset: 'canary' });
  rollout.take(analysed(DOUBT));
  expect(rollout.take(command('resume'))?.state).toMatchObject({ kind: 'progressing', at: { step: 1 } });
  rollout.take(analysed(DOUBT));
  expect(rollout.take(command('promote'))?.state).toMatchObject({ kind: 'progressing', at: { step: 3 } });
  expect(rollout.take(command('promote_full'))?.state.kind).toBe('promoting');
});

test('what is proven rolls back all the same, and a failure that is put up with is still counted', () => {
  const proven = begun({ preset: 'canary' });
  const worse: Finding = { ...PASS, outcome: 'fail', message: 'worse' };
  expect(proven.take(analysed(worse, DOUBT))?.state.kind).toBe('rolling_back');
  const counted = begun({ preset: 'canary', failureLimit: 2 });
  counted.take(analysed({ ...worse, source: 'query' }, DOUBT));
  expect(counted.state()).toMatchObject({ kind: 'paused', at: { failures: 1 }, hold: { by: 'health' } });
});

test('who waits for a person already goes on waiting', () => {
  const rollout = begun({ steps: [{ setWeight: 5 }, { pause: {} }] });
  expect(rollout.take(analysed(DOUBT))).toBeUndefined();
  expect(rollout.state().kind).toBe('waiting_for_approval');
});
