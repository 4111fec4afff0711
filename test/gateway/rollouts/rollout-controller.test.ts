import { expect, test } from 'vitest';
import { RolloutController } from '../../../gateway/rollouts/rollout-controller.ts';
import { RolloutJudge } from '../../../gateway/rollouts/rollout-judge.ts';
import { RolloutSteps } from '../../../gateway/rollouts/rollout-steps.ts';
import { eventuallyHolds } from '../../eventually-holds.ts';
import { LOG, VERSION_3, oneRollout } from './one-rollout.ts';

const FLOOR = { fault: 'error', count: 10 } as const;

/** A controller of one rollout, whose webhook answers when it is told to. */
async function controlled() {
  const { store, experiments, driven, weights } = await oneRollout();
  let isReady = true;
  const asked = Promise.withResolvers<undefined>();
  const said = Promise.withResolvers<undefined>();
  const judge = new RolloutJudge({
    experiments,
    counts: store,
    flushExposures: () => Promise.resolve(),
    askPrometheus: () => Promise.resolve({ kind: 'values', values: [] }),
    askWebhook: async () => {
      asked.resolve(undefined);
      await said.promise;
      return { kind: 'answered', status: 200, outcome: 'pass', message: '' };
    },
    mirrorEvidence: () => Promise.resolve(undefined),
    nowMs: Date.now,
  });
  const steps = new RolloutSteps({
    experiments,
    isReady: () => isReady,
    misfitOf: () => undefined,
    lead: () => 'alone',
    replica: 'a',
    log: LOG,
    nowMs: Date.now,
  });
  const controller = new RolloutController({
    experiments,
    judge,
    steps,
    isLeading: () => true,
    objector: () => Promise.resolve(undefined),
    objectionMs: 0,
    spreadMs: 0,
    log: LOG,
    nowMs: Date.now,
  });
  controller.start();
  await asked.promise;
  return {
    controller,
    stateOf: () => driven().record?.state.kind,
    weights,
    unload: () => {
      isReady = false;
    },
    answer: () => {
      said.resolve(undefined);
    },
  };
}

test('a way back waits for no analysis that waits for others, to its end, and what that says afterwards changes nothing', async () => {
  const { controller, stateOf, weights, answer } = await controlled();
  controller.meetFloor('classes', { ...FLOOR, target: VERSION_3 });
  await eventuallyHolds(() => {
    expect(stateOf()).toBe('rolled_back');
  });
  expect(weights()).toEqual({ v1: 100, v2: 0 });
  answer();
  await controller.settled();
  expect(stateOf()).toBe('rolled_back');
  await controller.stop();
});

test('a variant that can’t answer any more loses its share while an analysis still waits for others', async () => {
  const { controller, stateOf, weights, unload, answer } = await controlled();
  expect(weights()).toEqual({ v1: 90, v2: 10 });
  unload();
  await eventuallyHolds(() => {
    expect(stateOf()).toBe('rolled_back');
  });
  expect(weights()).toEqual({ v1: 100, v2: 0 });
  answer();
  await controller.stop();
});

test('a hard floor that another version met, or another phase, takes nothing back', async () => {
  const { controller, stateOf, answer } = await controlled();
  const before = stateOf();
  answer();
  for (const target of [
    { ...VERSION_3, version: 2 },
    { ...VERSION_3, phase: 2 },
    { ...VERSION_3, variant: 'v3' },
  ]) {
    controller.meetFloor('classes', { ...FLOOR, target });
    await controller.settled();
    expect(stateOf()).toBe(before);
  }
  controller.meetFloor('classes', { ...FLOOR, target: VERSION_3 });
  await eventuallyHolds(() => {
    expect(stateOf()).toBe('rolled_back');
  });
  await controller.stop();
});
