import { rm } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import type { BatchMember } from '../../../backends/batching/runner.ts';
import { batchSizes, sizeFor } from '../../../backends/onnx/batch-sizes.ts';
import { OnnxInstance } from '../../../backends/onnx/instance.ts';
import { planModel } from '../../../backends/onnx/plan.ts';
import { CPU } from '../../../backends/onnx/providers/execution-provider.ts';
import { OnnxRunner } from '../../../backends/onnx/runner.ts';
import { SlabPool } from '../../../backends/onnx/slab.ts';
import { StatisticsRecorder } from '../../../backends/statistics.ts';
import type { Tensor } from '../../../backends/tensor/tensor.ts';
import { warmSizes } from '../../../backends/warmup/warm-up.ts';
import { encodeModel, identityModel } from '../../models/onnx-graph.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';

const SIZES = [1, 4, 8];

/** Adds the number of rows that it is run with to each value. */
const COUNTING = encodeModel({
  inputs: [{ name: 'INPUT', datatype: 'FP32', shape: ['batch', 1] }],
  outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: ['batch', 1] }],
  nodes: [
    { op: 'Shape', inputs: ['INPUT'], outputs: ['shape'] },
    { op: 'Cast', inputs: ['shape'], outputs: ['sizes'], attributes: { to: 1 } },
    { op: 'ReduceMax', inputs: ['sizes'], outputs: ['rows'], attributes: { keepdims: 0 } },
    { op: 'Add', inputs: ['INPUT', 'rows'], outputs: ['OUTPUT'] },
  ],
});

/** A real instance on the processor, run with the sizes alone, as one on a GPU is. */
async function withSizes(
  model: Uint8Array,
  use: (runner: OnnxRunner, instance: OnnxInstance, modelFile: string) => Promise<void>,
): Promise<void> {
  await using folder = await temporaryFolder({ 'model.onnx': model });
  const modelFile = `${folder.path}/model.onnx`;
  const instance = await OnnxInstance.start({
    modelFile,
    threads: 1,
    provider: CPU,
  });
  try {
    const { outputs } = await planModel(instance, undefined, undefined);
    const runner = new OnnxRunner(instance, {
      slabs: new SlabPool(),
      outputs,
      batches: true,
      sizes: SIZES,
      statistics: new StatisticsRecorder(),
      runLimitMs: undefined,
      onHung: () => undefined,
      onRecovered: () => undefined,
    });
    await use(runner, instance, modelFile);
  } finally {
    await instance.close();
  }
}

function membersOf(inputs: readonly Tensor[]): readonly BatchMember[] {
  return inputs.map((input) => ({
    request: { inputs: [input], deadlineMs: Infinity },
    rows: input.shape[0] ?? 1,
    isSettled: false,
    reject: (error: Error) => {
      throw error;
    },
  }));
}

const floats = (...values: readonly number[]): Tensor => ({
  name: 'INPUT',
  datatype: 'FP32',
  shape: [values.length, 1],
  data: Float32Array.from(values),
});

test('sizes are few and reach the largest batch; rows get the smallest that holds them', () => {
  expect([1, 2, 8, 32, 64, 100].map(batchSizes)).toEqual([
    [1],
    [1, 2],
    [1, 4, 8],
    [1, 4, 16, 32],
    [1, 4, 16, 64],
    [1, 4, 16, 64, 100],
  ]);
  expect([1, 2, 4, 5, 8, 9].map((rows) => sizeFor(rows, SIZES))).toEqual([1, 4, 4, 8, 8, 9]);
});

describe('a version that is run with a few batch sizes', () => {
  test('gives each request its own rows, whatever fills the batch up', async () => {
    await withSizes(COUNTING, async (runner, instance) => {
      await warmSizes(instance, SIZES, undefined);
      for (const [requests, size] of [
        [[[7]], 1],
        [[[1, 2], [3]], 4],
        [[[1], [2], [3], [4]], 4],
        [[[5], [6, 7, 8], [9]], 8],
        [[[1], [2]], 4],
      ] as const) {
        const inputs = requests.map((values) => floats(...values));
        const rows = inputs.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
        const result = await runner.run(membersOf(inputs), rows);
        const answers = requests.map((_, index) => {
          const [output] = result.outputsOf(index);
          return { shape: output?.shape, data: Array.from((output?.data ?? []) as Float32Array) };
        });
        requests.forEach(() => {
          result.release();
        });
        expect(answers).toEqual(
          requests.map((values) => ({
            shape: [values.length, 1],
            data: values.map((value) => value + size),
          })),
        );
      }
    });
  });

  test('runs them all in one session where no other can be opened', async () => {
    await withSizes(COUNTING, async (runner, instance, modelFile) => {
      await rm(modelFile);
      await warmSizes(instance, SIZES, undefined);
      for (const [rows, size] of [
        [1, 1],
        [3, 4],
        [8, 8],
      ] as const) {
        const result = await runner.run(membersOf([floats(...Array<number>(rows).fill(7))]), rows);
        expect(Array.from((result.outputsOf(0)[0]?.data ?? []) as Float32Array)).toEqual(
          Array<number>(rows).fill(7 + size),
        );
        result.release();
      }
    });
  });

  test('fills texts up too', async () => {
    await withSizes(identityModel('BYTES', ['batch', 2]), async (runner) => {
      const texts: Tensor = {
        name: 'INPUT',
        datatype: 'BYTES',
        shape: [3, 2],
        data: ['a', 'b', 'c', 'd', 'e', 'f'],
      };
      const result = await runner.run(membersOf([texts]), 3);
      expect(result.outputsOf(0)).toMatchObject([{ shape: [3, 2], data: ['a', 'b', 'c', 'd', 'e', 'f'] }]);
      result.release();
    });
  });
});
