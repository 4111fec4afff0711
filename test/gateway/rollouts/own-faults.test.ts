/** What callers bring about themselves rolls nothing back. */
import { expect, test } from 'vitest';
import { FaultWatch } from '../../../gateway/rollouts/fault-watch.ts';
import type { EndedRequest } from '../../../gateway/pipeline/ended-request.ts';
import type { MetFloor } from '../../../experiments/rollouts/fault-counter.ts';
import { sampleExperiment } from '../../experiments/sample-experiment.ts';
import type { Tensor } from '../../../backends/tensor/tensor.ts';

const EXPERIMENT = sampleExperiment({
  variants: [
    { name: 'v1', version: 1, weight: 100 },
    { name: 'v2', version: 2, weight: 0 },
  ],
  metrics: [{ name: 'errors', kind: 'proportion', source: 'error_rate', role: 'guardrail' }],
  rollout: { steps: [{ setWeight: 50 }, { pause: {} }] },
});

type Ended = Partial<Omit<EndedRequest, 'target'>> & {
  readonly variant?: 'v1' | 'v2';
  readonly why?: NonNullable<EndedRequest['target']['choice']>['reason'];
  readonly unit?: string | undefined;
};

/** The floors that so many such requests meet. */
function floorsOf(requests: readonly Ended[]): readonly MetFloor[] {
  const met: MetFloor[] = [];
  const watch = new FaultWatch((_, floor) => met.push(floor));
  requests.forEach(({ variant = 'v2', why = 'split', unit, ...ended }, index) => {
    const chosen = EXPERIMENT.variants.find(({ name }) => name === variant) ?? EXPERIMENT.control;
    const choice = {
      experiment: EXPERIMENT,
      variant: chosen,
      reason: why,
      unit: unit ?? `user-${index}`,
      hash: 0,
    };
    watch.answered({
      target: { choice } as EndedRequest['target'],
      bearing: 'ok',
      answer: undefined,
      inputs: [],
      reason: undefined,
      totalMs: 5,
      patienceMs: Infinity,
      ...ended,
    });
  });
  return met;
}

const times = (count: number, ended: Ended): readonly Ended[] => Array.from({ length: count }, () => ended);

test.each(['split', 'sticky', 'targeting'] as const)('whom the rollout sends there counts: %s', (why) => {
  expect(floorsOf(times(10, { bearing: 'error', why }))).toEqual([{ fault: 'error', count: 10 }]);
});

test('who names the variant counts for nothing', () => {
  expect(floorsOf(times(50, { bearing: 'error', why: 'override' }))).toEqual([]);
});

test('a deadline that the control does not meet either is no timeout of the variant', () => {
  const slowControl = times(50, { variant: 'v1', totalMs: 2000 });
  expect(floorsOf(times(50, { bearing: 'timeout', patienceMs: 1 }))).toEqual([]);
  expect(floorsOf([...slowControl, ...times(50, { bearing: 'timeout', patienceMs: 500 })])).toEqual([]);
  expect(floorsOf(times(10, { bearing: 'timeout', patienceMs: 500 }))).toEqual([
    { fault: 'timeout', count: 10 },
  ]);
  expect(floorsOf(times(10, { bearing: 'timeout' }))).toEqual([{ fault: 'timeout', count: 10 }]);
});

test('an output that is not finite because an input was not says nothing of the variant', () => {
  const tensor = (value: number): Tensor => ({
    name: 'T',
    datatype: 'FP32',
    shape: [1],
    data: Float32Array.of(value),
  });
  const answer = {
    outputs: [tensor(Number.NaN)],
    queueMs: 0,
    computeMs: 1,
    batchRows: 1,
    batchId: 1,
    release: () => undefined,
  };
  expect(floorsOf(times(50, { answer, inputs: [tensor(Number.NaN)] }))).toEqual([]);
  expect(floorsOf(times(3, { answer, inputs: [tensor(1)] }))).toEqual([{ fault: 'nan', count: 3 }]);
});

test('what its queue turns away in a row is a fault: once a unit, and not while the control turns away too', () => {
  expect(floorsOf(times(10, { bearing: 'shed' }))).toEqual([{ fault: 'error', count: 10 }]);
  expect(floorsOf(times(100, { bearing: 'shed', unit: 'ada' }))).toEqual([]);
  const both = times(9, { bearing: 'shed' });
  expect(floorsOf([...both, { variant: 'v1', bearing: 'shed' }, ...both])).toEqual([]);
  expect(floorsOf([...both, { bearing: 'ok' }, ...both])).toEqual([]);
});
