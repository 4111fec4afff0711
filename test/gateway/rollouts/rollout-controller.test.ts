import { pino } from 'pino';
import { expect, test, vi } from 'vitest';
import { parseYaml } from '../../../documents/yaml-document.ts';
import { readExperiment } from '../../../experiments/definition.ts';
import { assembleExperiments } from '../../../experiments/experiment-set.ts';
import { drivenRollout } from '../../../experiments/rollouts/rollout-step.ts';
import { MemoryStore } from '../../../experiments/stores/memory/memory-store.ts';
import { RolloutController } from '../../../gateway/rollouts/rollout-controller.ts';
import { StandingBook } from '../../../gateway/standing/standing-book.ts';

const log = pino({ level: 'silent' });
const FLOOR = { fault: 'error', count: 10 } as const;

/** A controller of one rollout, of version 3 as v2, whose webhook answers when it is told to. */
async function controlled() {
  const text = `
key: classes
model: classes
status: running
control: v1
variants: [{ name: v1, version: 1, weight: 100 }, { name: v2, version: 3, weight: 0 }]
metrics: [{ name: errors, kind: proportion, source: error_rate, role: guardrail }]
rollout:
  interval: 100ms
  analysis: { webhooks: [{ name: smoke, url: 'http://127.0.0.1:9/', timeout: 10m }] }
  steps: [{ setWeight: 10 }, { pause: {} }]
`;
  const experiment = readExperiment(parseYaml(text, 'classes.yaml'), undefined);
  const store = new MemoryStore();
  const experiments = await StandingBook.open({
    store,
    log,
    files: {
      written: [{ experiment, definition: '', digest: '' }],
      current: assembleExperiments([experiment]).set,
    },
  });
  let isReady = true;
  const asked = Promise.withResolvers<undefined>();
  const said = Promise.withResolvers<undefined>();
  const controller = new RolloutController({
    experiments,
    counts: store,
    flushExposures: () => Promise.resolve(),
    isReady: () => isReady,
    askPrometheus: () => Promise.resolve({ kind: 'values', values: [] }),
    askWebhook: async () => {
      asked.resolve(undefined);
      await said.promise;
      return { kind: 'answered', status: 200, outcome: 'pass', message: '' };
    },
    mirrorEvidence: () => Promise.resolve(undefined),
    lead: () => 'alone',
    objector: () => Promise.resolve(undefined),
    objectionMs: 0,
    replica: 'a',
    spreadMs: 0,
    log,
    nowMs: Date.now,
  });
  const stateOf = (): string | undefined => {
    const situation = experiments.situation('classes');
    return situation && drivenRollout(situation)?.record?.state.kind;
  };
  controller.start();
  await asked.promise;
  return {
    controller,
    stateOf,
    weights: () => experiments.situation('classes')?.standing.split.weights,
    unload: () => {
      isReady = false;
    },
    answer: () => {
      said.resolve(undefined);
    },
  };
}

const VERSION_3 = { variant: 'v2', version: 3, phase: 1 };

test('a way back waits for no analysis that waits for others, to its end, and what that says afterwards changes nothing', async () => {
  const { controller, stateOf, weights, answer } = await controlled();
  controller.meetFloor('classes', { ...FLOOR, target: VERSION_3 });
  await vi.waitFor(() => {
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
  await vi.waitFor(() => {
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
  await vi.waitFor(() => {
    expect(stateOf()).toBe('rolled_back');
  });
  await controller.stop();
});
