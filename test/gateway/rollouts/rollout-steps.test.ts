import { expect, test } from 'vitest';
import type { RolloutEvent } from '../../../experiments/rollouts/machine/event.ts';
import { LeaseLost } from '../../../experiments/stores/state-store.ts';
import { RolloutSteps } from '../../../gateway/rollouts/rollout-steps.ts';
import type { RolloutStepsOptions } from '../../../gateway/rollouts/rollout-steps.ts';
import { LOG, VERSION_3, oneRollout } from './one-rollout.ts';

const CLOCK: RolloutEvent = { kind: 'clock' };
const FLOOR: RolloutEvent = { kind: 'hard_floor', fault: 'error', count: 10 };
const TO_THE_END: RolloutEvent = { kind: 'command', command: 'promote_full', by: 'ada', reason: '' };

/** The steps of one rollout; it begins, and then v2 gets its first share. */
async function stepped(options: Partial<RolloutStepsOptions> = {}) {
  const rollout = await oneRollout();
  const { experiments, experiment, driven } = rollout;
  let isLost = false;
  const steps = new RolloutSteps({
    experiments: {
      change: (key, decide, request) =>
        experiments.change(
          key,
          ({ standing, ...situation }) =>
            decide({ ...situation, standing: { ...standing, isRecovered: standing.isRecovered || isLost } }),
          request,
        ),
    },
    isReady: () => true,
    misfitOf: () => undefined,
    lead: () => 'alone',
    replica: 'replica-a',
    log: LOG,
    nowMs: () => 1000,
    ...options,
  });
  /** Decides and stores; `meanwhile` happens in between. */
  const step = async (event: RolloutEvent, meanwhile = (): Promise<void> => Promise.resolve()) => {
    const decidedOn = driven();
    const next = steps.next(experiment, decidedOn, event);
    await meanwhile();
    if (next === undefined) return;
    const basis =
      event.kind === 'hard_floor' ? { whateverBecameOf: VERSION_3 } : { judgedOn: decidedOn.record };
    await steps.take('classes', basis, event, next);
  };
  const stateOf = (): string | undefined => driven().record?.state.kind;
  /** The store loses everything, and a replica brings back what it had in force. */
  const lose = (): Promise<void> => {
    isLost = true;
    return Promise.resolve();
  };
  return { ...rollout, steps, step, stateOf, lose };
}

test('a step is stored, with the process that took it and why in the audit log', async () => {
  const { step, stateOf, weights, store } = await stepped();
  await step(CLOCK);
  expect(stateOf()).toBe('pending');
  await step(CLOCK);
  expect(stateOf()).toBe('waiting_for_approval');
  expect(weights()).toEqual({ v1: 90, v2: 10 });
  expect((await store.readAudit(0, 10)).at(-1)?.entry).toMatchObject({
    action: 'rollout.waiting_for_approval',
    reason: expect.stringMatching(/^variant_ready: /) as string,
    actor: { kind: 'rollout', id: 'replica-a' },
  });
});

test('a step that was decided on where the rollout stands no more is not stored', async () => {
  const { step, stateOf } = await stepped();
  await step(CLOCK);
  await step(TO_THE_END, () => step(CLOCK));
  expect(stateOf()).toBe('waiting_for_approval');
});

test('a step that was decided on before the store lost what was counted is not stored; a way back is', async () => {
  const { step, stateOf, lose } = await stepped();
  await step(CLOCK);
  await step(CLOCK);
  await step(TO_THE_END, lose);
  expect(stateOf()).toBe('waiting_for_approval');
  await step(FLOOR);
  expect(stateOf()).toMatch(/^roll/);
});

test('what has to roll back does, wherever the rollout has got to', async () => {
  const { step, stateOf, weights } = await stepped();
  await step(CLOCK);
  await step(CLOCK);
  await step(FLOOR, () => step(TO_THE_END));
  expect(stateOf()).toMatch(/^roll/);
  expect(weights()).toEqual({ v1: 100, v2: 0 });
});

test('a process that does not lead goes back all the same, and never on', async () => {
  let lead: ReturnType<RolloutStepsOptions['lead']> = 'alone';
  const { step, stateOf } = await stepped({ lead: () => lead });
  await step(CLOCK);
  await step(CLOCK);
  lead = undefined;
  await step(TO_THE_END);
  expect(stateOf()).toBe('waiting_for_approval');
  await step(FLOOR);
  expect(stateOf()).toMatch(/^roll/);
});

test('a step under a lease that is lost is not stored', async () => {
  const { step, driven } = await stepped({
    lead: () => ({ lease: 'rollouts', holder: 'replica-a', token: 7 }),
  });
  await expect(step(CLOCK)).rejects.toThrow(LeaseLost);
  expect(driven().record).toBeUndefined();
});
