import { expect, test } from 'vitest';
import { ServedModel } from '../../../backends/repository/served-model.ts';
import type { Servable } from '../../../backends/servable.ts';
import { assembleExperiments } from '../../../experiments/experiment-set.ts';
import { QueuesAhead } from '../../../gateway/overload/queues-ahead.ts';
import type { CallTarget } from '../../../gateway/overload/queues-ahead.ts';
import { sampleExperiment } from '../../experiments/sample-experiment.ts';

/** A model whose versions have so much before them, in milliseconds. */
function ahead(
  waits: Readonly<Record<number, number | undefined>>,
  experiment?: Readonly<Record<string, unknown>>,
) {
  const model = new ServedModel('digits');
  for (const [version, expectedWaitMs] of Object.entries(waits)) {
    const servable: Pick<Servable, 'expectedWaitMs'> = { expectedWaitMs };
    model.put(Number(version), '', servable as Servable);
  }
  const experiments = experiment === undefined ? [] : [sampleExperiment(experiment)];
  const { set } = assembleExperiments(experiments);
  return new QueuesAhead({ model: (name) => (name === 'digits' ? model : undefined) }, () => set);
}

const call: CallTarget = { model: 'digits', version: undefined, isOverride: false };

/** How long the wait is that a call is held to; undefined: to none. */
const waitOf = (queues: QueuesAhead, changes: Partial<CallTarget> = {}, bearableMs = 0) =>
  queues.shortest({ ...call, ...changes }, bearableMs)?.expectedWaitMs;

test('without an experiment it is the queue of the highest version', () => {
  expect(waitOf(ahead({ 1: 0, 2: 700 }))).toBe(700);
});

test('a call that names a version comes into the queue of that one', () => {
  const queues = ahead({ 1: 300, 2: 700 });
  expect(waitOf(queues, { version: '1' })).toBe(300);
  for (const version of ['3', 'latest', '']) expect(waitOf(queues, { version })).toBeUndefined();
});

test('with an experiment it is the shortest of those that its variants may get', () => {
  const variants = (weights: readonly [number, number, number]) => ({
    variants: weights.map((weight, at) => ({ name: `v${at + 1}`, version: at + 1, weight })),
  });
  const waits = { 1: 500, 2: 300, 3: 0, 4: 0 };
  expect(waitOf(ahead(waits, variants([90, 10, 0])))).toBe(300);
  expect(waitOf(ahead(waits, variants([0, 10, 10])))).toBe(0);
  // The control answers for others, whatever its weight.
  expect(waitOf(ahead({ ...waits, 1: 200 }, variants([0, 10, 0])))).toBe(200);
});

test('where one can be borne it is not asked whether another one is shorter', () => {
  const queues = ahead(
    { 1: 500, 2: 300, 3: 400 },
    { variants: [1, 2, 3].map((version) => ({ name: `v${version}`, version, weight: 1 })) },
  );
  expect([100, 300, 450, 500].map((bearableMs) => waitOf(queues, {}, bearableMs))).toEqual([
    300, 300, 300, 500,
  ]);
});

test('a variant that nobody is split into may be meant by name', () => {
  const experiment = {
    variants: [
      { name: 'v1', version: 1, weight: 100 },
      { name: 'v2', version: 2, weight: 0 },
    ],
  };
  const waits = { 1: 500, 2: 0 };
  expect(waitOf(ahead(waits, experiment))).toBe(500);
  expect(waitOf(ahead(waits, { ...experiment, forced: { ada: 'v2' } }))).toBe(0);
  expect(waitOf(ahead(waits, experiment), { isOverride: true })).toBeUndefined();
});

test('nobody is held to a queue of which nothing is known, or that is elsewhere', () => {
  const here = { name: 'v1', version: 1, weight: 50 };
  const elsewhere = { name: 'v2', weight: 50, upstream: { url: 'http://127.0.0.1:1' } };
  expect(waitOf(ahead({ 1: 900 }, { variants: [here, elsewhere] }))).toBeUndefined();
  expect(
    waitOf(ahead({ 1: 900, 2: undefined }, { variants: [here, { ...here, name: 'v2', version: 2 }] })),
  ).toBeUndefined();
  expect(waitOf(ahead({ 1: 900 }), { model: 'faces' })).toBeUndefined();
});

test('a version that is not ready gets nobody', () => {
  const variants = [1, 2].map((version) => ({ name: `v${version}`, version, weight: 50 }));
  expect(waitOf(ahead({ 1: 900 }, { variants }))).toBe(900);
});
