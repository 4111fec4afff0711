import { describe, expect, test } from 'vitest';
import type { InferRequest } from '../../../backends/inference.ts';
import type { Servable } from '../../../backends/servable.ts';
import { encodeModel } from '../../models/onnx-graph.ts';
import { addingModel, lingeringModel, lookupModel } from '../../models/small-models.ts';
import { lentSlabsOf, openRepository } from '../repository/open-repository.ts';
import { addingFiles, ensembleConfig } from './ensemble-files.ts';
import { eventuallyHolds } from '../../eventually-holds.ts';

async function ask(
  version: Servable,
  rows: readonly number[],
  more: Partial<InferRequest> = {},
): Promise<Readonly<Record<string, readonly number[]>>> {
  const data = Float32Array.from(rows.flatMap((value) => [value, value]));
  const answer = await version.infer({
    inputs: [{ name: 'in', datatype: 'FP32', shape: [rows.length, 2], data }],
    deadlineMs: Infinity,
    ...more,
  });
  const outputs = answer.outputs.map((output) => [output.name, [...output.data].map(Number)] as const);
  answer.release();
  return Object.fromEntries(outputs);
}

/** Both inputs' sum. */
function summingModel(): Uint8Array {
  const shape = ['batch', 2];
  return encodeModel({
    inputs: ['A', 'B'].map((name) => ({ name, datatype: 'FP32', shape })),
    outputs: [{ name: 'SUM', datatype: 'FP32', shape }],
    nodes: [{ op: 'Add', inputs: ['A', 'B'], outputs: ['SUM'] }],
  });
}

const DIAMOND = ensembleConfig(
  ['one INPUT=in -> OUTPUT=left', 'ten INPUT=in -> OUTPUT=right', 'sum A=left B=right -> SUM=out'],
  { output: ['out', 'left'] },
);

test('an ensemble answers with what its steps make of each other’s tensors, row by row', async () => {
  await using opened = await openRepository(addingFiles());
  expect(await ask(opened.ready('both', 1), [0, 5, -3])).toEqual({ out: [11, 11, 16, 16, 8, 8] });
});

test('steps that don’t need each other go in parallel, and one that needs both waits for both', async () => {
  await using opened = await openRepository({
    ...addingFiles(DIAMOND),
    'sum/1/model.onnx': summingModel(),
  });
  expect(await ask(opened.ready('both', 1), [1])).toEqual({ out: [13, 13], left: [2, 2] });
});

test('a step whose tensors nobody asked for is not run', async () => {
  await using opened = await openRepository({
    ...addingFiles(DIAMOND),
    'sum/1/model.onnx': summingModel(),
  });
  expect(await ask(opened.ready('both', 1), [1], { outputs: ['left'] })).toEqual({ left: [2, 2] });
  expect(opened.ready('ten', 1).statistics.executions).toBe(0);
  expect(opened.ready('sum', 1).statistics.executions).toBe(0);
});

test('each step is batched on its own, with the requests of all its callers', async () => {
  const slowly =
    'dynamic_batching: { preferred_batch_size: [8], max_queue_delay_microseconds: 60000000 }\nmax_batch_size: 8';
  await using opened = await openRepository({ ...addingFiles(), 'one/config.yaml': slowly });
  const ensemble = opened.ready('both', 1);
  const direct = opened.ready('one', 1).infer({
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [5, 2], data: new Float32Array(10) }],
    deadlineMs: Infinity,
  });
  const answers = await Promise.all([ask(ensemble, [1]), ask(ensemble, [2]), ask(ensemble, [3])]);
  (await direct).release();
  expect(answers).toEqual([{ out: [12, 12] }, { out: [13, 13] }, { out: [14, 14] }]);
  expect(opened.ready('one', 1).statistics.batches.map(({ rows }) => rows)).toEqual([8]);
});

test('steps that don’t need each other wait in the same queue at the same time', async () => {
  // Nothing but two rows at once makes a batch within the test's time.
  const pairs =
    'dynamic_batching: { preferred_batch_size: [2], max_queue_delay_microseconds: 60000000 }\nmax_batch_size: 2';
  await using opened = await openRepository({
    ...addingFiles(
      ensembleConfig(['one INPUT=in -> OUTPUT=left', 'one INPUT=in -> OUTPUT=right'], {
        output: ['left', 'right'],
        maxBatchSize: 2,
      }),
    ),
    'one/config.yaml': pairs,
  });
  expect(await ask(opened.ready('both', 1), [3])).toEqual({ left: [4, 4], right: [4, 4] });
  expect(opened.ready('one', 1).statistics.batches.map(({ rows }) => rows)).toEqual([2]);
});

test('its memory is given back when the answer is, also that between steps', async () => {
  await using opened = await openRepository(addingFiles());
  await Promise.all(Array.from({ length: 20 }, (_, index) => ask(opened.ready('both', 1), [index])));
  expect(['one', 'ten'].map((model) => lentSlabsOf(opened.ready(model, 1)))).toEqual([0, 0]);
});

test('statistics are the ensemble’s own and each model’s own, as Triton counts them', async () => {
  await using opened = await openRepository(addingFiles());
  const ensemble = opened.ready('both', 1);
  await ask(ensemble, [1, 2, 3]);
  await ask(ensemble, [1]);
  expect(ensemble.statistics).toMatchObject({
    inferences: 4,
    executions: 2,
    success: { count: 2 },
    fail: { count: 0 },
    batches: [
      { rows: 1, computeInfer: { count: 1 } },
      { rows: 3, computeInfer: { count: 1 } },
    ],
  });
  const { computeInfer } = ensemble.statistics.requests;
  const members = ['one', 'ten'].map((model) => opened.ready(model, 1).statistics.requests.computeInfer.ns);
  expect(computeInfer.ns).toBeCloseTo((members[0] ?? 0) + (members[1] ?? 0), -3);
});

describe('what goes wrong', () => {
  test('a request that does not fit the ensemble is told so in its own names', async () => {
    await using opened = await openRepository(addingFiles());
    const ensemble = opened.ready('both', 1);
    await expect(ask(ensemble, [1], { inputs: [] })).rejects.toThrow(
      `expected 1 inputs but got 0 for model 'both': "in" is missing`,
    );
    await expect(ask(ensemble, Array<number>(9).fill(0))).rejects.toThrow(
      "inference request batch-size must be from 1 to 8 for 'both', got 9",
    );
    await expect(ask(ensemble, [1], { outputs: ['mid'] })).rejects.toThrow(
      "unexpected inference output 'mid' for model 'both'; its outputs are: out",
    );
  });

  test('a step that fails says which it was; the others are ended and nothing stays lent', async () => {
    await using opened = await openRepository({
      'table/1/model.onnx': lookupModel(),
      'twice/config.yaml': `
platform: ensemble
max_batch_size: 4
input: [{ name: in, data_type: TYPE_INT64, dims: [1] }]
output: [{ name: a, data_type: TYPE_FP32, dims: [1] }, { name: b, data_type: TYPE_FP32, dims: [1] }]
ensemble_scheduling:
  step:
    - { model_name: table, input_map: { INPUT: in }, output_map: { OUTPUT: a } }
    - { model_name: table, input_map: { INPUT: in }, output_map: { OUTPUT: b } }
`,
      'twice/1/.gitkeep': '',
    });
    const infer = (index: bigint) =>
      opened.ready('twice', 1).infer({
        inputs: [{ name: 'in', datatype: 'INT64', shape: [1, 1], data: BigInt64Array.of(index) }],
        deadlineMs: Infinity,
      });
    await expect(infer(9n)).rejects.toMatchObject({
      fault: 'run_failed',
      message: expect.stringMatching(/^step [01] \('table'\) of ensemble 'twice': /) as string,
    });
    const answer = await infer(2n);
    expect(answer.outputs.map(({ data }) => Number(data[0]))).toEqual([30, 30]);
    answer.release();
    await eventuallyHolds(() => {
      expect(lentSlabsOf(opened.ready('table', 1))).toBe(0);
    });
    expect(opened.ready('twice', 1).statistics).toMatchObject({ success: { count: 1 }, fail: { count: 1 } });
  });

  const SLOW_THEN_ONE = ensembleConfigOfLingering();

  test('a caller that hangs up ends the request before its next step', async () => {
    await using opened = await openRepository(SLOW_THEN_ONE);
    const caller = new AbortController();
    const asked = opened.ready('chain', 1).infer({
      inputs: [{ name: 'in', datatype: 'FP32', shape: [1, 1], data: Float32Array.of(300) }],
      deadlineMs: Infinity,
      signal: caller.signal,
    });
    caller.abort();
    await expect(asked).rejects.toMatchObject({ fault: 'cancelled' });
    await eventuallyHolds(() => {
      expect(opened.ready('slow', 1).queued).toBe(0);
      expect(lentSlabsOf(opened.ready('slow', 1))).toBe(0);
    });
    expect(opened.ready('next', 1).statistics.executions).toBe(0);
  });

  test('a caller that hangs up while the second step waits leaves its queue, and the step never runs', async () => {
    const waits =
      'dynamic_batching: { preferred_batch_size: [8], max_queue_delay_microseconds: 60000000 }\nmax_batch_size: 8';
    await using opened = await openRepository({ ...addingFiles(), 'ten/config.yaml': waits });
    const [one, ten] = [opened.ready('one', 1), opened.ready('ten', 1)];
    const caller = new AbortController();
    const asked = ask(opened.ready('both', 1), [1], { signal: caller.signal });
    await eventuallyHolds(() => {
      expect(ten.queued).toBe(1);
    });
    caller.abort();
    await expect(asked).rejects.toMatchObject({ fault: 'cancelled' });
    expect([ten.queued, ten.statistics.executions, lentSlabsOf(one)]).toEqual([0, 0, 0]);
  });

  test('a request whose time is over between two steps does not begin the next', async () => {
    await using opened = await openRepository(SLOW_THEN_ONE);
    const chain = opened.ready('chain', 1);
    const infer = (deadlineMs: number) =>
      chain.infer({
        inputs: [{ name: 'in', datatype: 'FP32', shape: [1, 1], data: Float32Array.of(300) }],
        deadlineMs,
      });
    await expect(infer(performance.now() + 1)).rejects.toMatchObject({
      fault: expect.stringMatching(/^expired_in/) as string,
    });
    expect(opened.ready('next', 1).statistics.executions).toBe(0);
  });
});

function ensembleConfigOfLingering(): Readonly<Record<string, string | Uint8Array>> {
  return {
    'slow/1/model.onnx': lingeringModel(4),
    'next/1/model.onnx': lingeringModel(1),
    'chain/config.yaml': `
platform: ensemble
max_batch_size: 1
input: [{ name: in, data_type: TYPE_FP32, dims: [1] }]
output: [{ name: out, data_type: TYPE_FP32, dims: [1] }]
ensemble_scheduling:
  step:
    - { model_name: slow, input_map: { INPUT: in }, output_map: { OUTPUT: mid } }
    - { model_name: next, input_map: { INPUT: mid }, output_map: { OUTPUT: out } }
`,
    'chain/1/.gitkeep': '',
  };
}

describe('members that change', () => {
  test('a member that is swapped is the ensemble’s from then on; requests in flight end with the one they began with', async () => {
    await using opened = await openRepository(addingFiles());
    const before = opened.ready('both', 1);
    const release = before.hold();
    await opened.root.write({ 'ten/2/model.onnx': addingModel(100) });
    await opened.repository.refresh();
    await opened.repository.refresh();
    const after = opened.ready('both', 1);
    expect(after).not.toBe(before);
    expect(after.about.digest).not.toBe(before.about.digest);
    expect(await ask(after, [0])).toEqual({ out: [101, 101] });
    expect(await ask(before, [0])).toEqual({ out: [11, 11] });
    release();
  });

  test('under load no request fails and none is mixed while a member is swapped again and again', async () => {
    await using opened = await openRepository(addingFiles());
    let isOver = false;
    const load = Array.from({ length: 4 }, async (_, caller) => {
      let count = 0;
      for (; !isOver; count++) {
        const version = opened.ready('both', 1);
        const release = version.hold();
        const { out } = await ask(version, [caller]);
        release();
        expect([11, 101, 201].map((sum) => sum + caller)).toContain(out?.[0]);
        expect(out?.[0]).toBe(out?.[1]);
      }
      return count;
    });
    for (const addend of [100, 200, 100, 200]) {
      await opened.root.write({ 'ten/1/model.onnx': addingModel(addend) });
      await opened.repository.refresh();
      await opened.repository.refresh();
    }
    isOver = true;
    for (const count of await Promise.all(load)) expect(count).toBeGreaterThan(0);
    expect(await ask(opened.ready('both', 1), [0])).toEqual({ out: [201, 201] });
  });

  test('an ensemble whose member is unloaded is not ready and says why, and is again when the member is', async () => {
    await using opened = await openRepository(addingFiles(), { control: 'explicit', load: ['*'] });
    const before = opened.ready('both', 1);
    await opened.repository.unload('ten');
    expect(opened.repository.model('both')?.version(1)).toBeUndefined();
    expect(opened.stateOf('both', 1)).toMatch(
      /^UNAVAILABLE .*both\/config\.yaml:\d+:\d+: ensemble_scheduling\.step\[1\]\.model_name: is "ten", which is not loaded$/,
    );
    expect(lentSlabsOf(opened.ready('one', 1))).toBe(0);
    await opened.repository.load('ten');
    expect(await ask(opened.ready('both', 1), [0])).toEqual({ out: [11, 11] });
    expect(opened.ready('both', 1)).not.toBe(before);
  });

  test('an edit that can’t be served leaves the ensemble as it was, with the reason in the index', async () => {
    await using opened = await openRepository(addingFiles());
    await opened.root.write({
      'both/config.yaml': ensembleConfig(['one INPUT=in -> OUTPUT=mid', 'none INPUT=mid -> OUTPUT=out']),
    });
    await opened.repository.refresh();
    await opened.repository.refresh();
    expect(await ask(opened.ready('both', 1), [0])).toEqual({ out: [11, 11] });
    expect(opened.stateOf('both', 1)).toMatch(
      /^READY .*is "none", which no repository has; there are: both, one, ten$/,
    );
  });

  test('an ensemble of ensembles follows a change at the bottom', async () => {
    await using opened = await openRepository({
      ...addingFiles(),
      'outer/config.yaml': ensembleConfig(['both in=in -> out=mid', 'one INPUT=mid -> OUTPUT=out']),
      'outer/1/.gitkeep': '',
    });
    expect(await ask(opened.ready('outer', 1), [0])).toEqual({ out: [12, 12] });
    await opened.root.write({ 'ten/1/model.onnx': addingModel(50) });
    await opened.repository.refresh();
    await opened.repository.refresh();
    expect(await ask(opened.ready('outer', 1), [0])).toEqual({ out: [52, 52] });
  });
});

describe('explicit control', () => {
  test('loading an ensemble loads what it needs, and an unload of the dependents takes that away again', async () => {
    await using opened = await openRepository(
      { ...addingFiles(), 'alone/1/model.onnx': addingModel(1) },
      { control: 'explicit', load: ['one'] },
    );
    await opened.repository.load('both');
    expect(await ask(opened.ready('both', 1), [0])).toEqual({ out: [11, 11] });
    expect(opened.repository.models.map(({ name }) => name)).toEqual(['both', 'one', 'ten']);
    await opened.repository.unload('both', true);
    // What was loaded for its own sake stays.
    expect(opened.repository.models.map(({ name }) => name)).toEqual(['one']);
  });

  test('a member that failed when it was loaded by itself is tried again, as its file may be mended', async () => {
    await using opened = await openRepository(
      { ...addingFiles(), 'ten/1/model.onnx': 'no model' },
      { control: 'explicit' },
    );
    await expect(opened.repository.load('ten')).rejects.toThrow(/failed to load 'ten'/);
    await expect(opened.repository.load('both')).rejects.toThrow(/"ten", which is not ready/);
    await opened.root.write({ 'ten/1/model.onnx': addingModel(10) });
    await opened.repository.load('both');
    expect(await ask(opened.ready('both', 1), [0])).toEqual({ out: [11, 11] });
  });

  test('a member stays as long as another ensemble needs it', async () => {
    await using opened = await openRepository(
      {
        ...addingFiles(),
        'again/config.yaml': ensembleConfig(['one INPUT=in -> OUTPUT=out']),
        'again/1/.gitkeep': '',
      },
      { control: 'explicit', load: ['both', 'again'] },
    );
    await opened.repository.unload('both', true);
    expect(opened.repository.models.map(({ name }) => name)).toEqual(['again', 'one']);
    await opened.repository.unload('again', true);
    expect(opened.repository.models).toEqual([]);
  });

  test('an ensemble whose member was never there can be unloaded with its dependents', async () => {
    await using opened = await openRepository(
      addingFiles(ensembleConfig(['one INPUT=in -> OUTPUT=mid', 'gone INPUT=mid -> OUTPUT=out'])),
      { control: 'explicit', load: ['both'] },
    );
    await opened.repository.unload('both', true);
    expect(opened.repository.models).toEqual([]);
  });

  test('an ensemble that is loaded at the start brings its members along', async () => {
    await using opened = await openRepository(addingFiles(), { control: 'explicit', load: ['both'] });
    expect(await ask(opened.ready('both', 1), [0])).toEqual({ out: [11, 11] });
  });
});
