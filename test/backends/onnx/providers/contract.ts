import { describe, expect, test } from 'vitest';
import type { InferRequest } from '../../../../backends/inference.ts';
import type { FindGpus } from '../../../../backends/onnx/providers/gpu-providers.ts';
import type { ModelConfig } from '../../../../backends/repository/model-config.ts';
import type { Tensor } from '../../../../backends/tensor/tensor.ts';
import { perceptron } from '../../../../bench/models/perceptron.ts';
import { addingModel, identitiesModel } from '../../../models/small-models.ts';
import { loadVersion } from '../../load-version.ts';
import type { LoadedVersion } from '../../load-version.ts';

type Kind = 'KIND_CPU' | 'KIND_GPU';

function rowsOf(
  shape: readonly number[],
  value: (index: number) => number,
  name = 'INPUT',
): Tensor & { readonly data: Float32Array } {
  const length = shape.reduce((count, size) => count * size, 1);
  return { name, datatype: 'FP32', shape, data: Float32Array.from({ length }, (_, index) => value(index)) };
}

async function numbersOf(
  { version }: LoadedVersion,
  request: Pick<InferRequest, 'inputs' | 'outputs' | 'signal'>,
) {
  const answer = await version.infer({ deadlineMs: Infinity, ...request });
  const outputs = answer.outputs.map(({ name, shape, data }) => ({ name, shape, data: [...data] }));
  answer.release();
  return outputs;
}

/** The perceptron of the benches in plain arithmetic of doubles: `[rows, 64]` to `[rows, 10]`. */
function reference(input: ArrayLike<number>, rows: number): readonly number[] {
  const weight = (index: number, size: number): number => Math.fround(Math.sin(index) / size);
  const layer = (from: ArrayLike<number>, size: number, columns: number): number[] =>
    Array.from({ length: rows * columns }, (_, at) => {
      const [row, column] = [Math.floor(at / columns), at % columns];
      let sum = 0;
      for (let index = 0; index < size; index++)
        sum += (from[row * size + index] ?? 0) * weight(index * columns + column, size);
      return sum;
    });
  return layer(
    layer(input, 64, 32).map((sum) => Math.max(0, sum)),
    32,
    10,
  );
}

/** What holds of versions on every provider. */
export function providerContract(kind: Kind, provider: string, findGpus?: FindGpus): void {
  /** Loads a version there. */
  const load = (model: Uint8Array, config: Partial<ModelConfig> = {}): Promise<LoadedVersion> => {
    const instanceGroups = [{ name: undefined, kind, count: config.instances ?? 1, gpus: [] }];
    return loadVersion(model, { instanceGroups, ...config }, undefined, {}, findGpus);
  };
  describe(`a version on ${provider}`, () => {
    test('says where it runs, and why', async () => {
      await using loaded = await load(addingModel(1));
      expect(loaded.version.about.provider).toBe(provider);
      expect(loaded.events.onPlacement).toHaveBeenCalledExactlyOnceWith(
        'tested',
        1,
        provider,
        expect.stringContaining(kind),
      );
    });

    test('gives the numbers that the arithmetic gives, batched or alone, within 1e-5', async () => {
      await using loaded = await load(perceptron());
      const requests = Array.from({ length: 12 }, (_, index) =>
        rowsOf([1 + (index % 3), 64], (at) => Math.cos(at + index)),
      );
      const answers = await Promise.all(requests.map((input) => numbersOf(loaded, { inputs: [input] })));
      answers.forEach(([output], index) => {
        const input = requests[index];
        const rows = input?.shape[0] ?? 0;
        expect(output?.shape).toEqual([rows, 10]);
        const expected = reference(input?.data ?? [], rows);
        const farthest = Math.max(...expected.map((value, at) => Math.abs(value - Number(output?.data[at]))));
        expect(farthest).toBeLessThan(1e-5);
      });
      expect(loaded.events.onBatch.mock.calls.length).toBeLessThan(requests.length);
    });

    test('gives every caller its own rows, over two instances', async () => {
      await using loaded = await load(addingModel(1000), { instances: 2 });
      const answers = await Promise.all(
        Array.from({ length: 60 }, (_, index) =>
          numbersOf(loaded, { inputs: [rowsOf([1 + (index % 4), 2], (at) => index * 10 + at)] }),
        ),
      );
      answers.forEach(([output], index) => {
        expect(output?.data).toEqual(
          Array.from({ length: (1 + (index % 4)) * 2 }, (_, at) => 1000 + index * 10 + at),
        );
      });
    });

    test('runs beside another version, each with its own weights, and goes on when that one is closed', async () => {
      await using one = await load(addingModel(1));
      {
        await using other = await load(addingModel(2));
        const input = rowsOf([2, 2], (at) => at);
        const [ones, twos] = await Promise.all([
          numbersOf(one, { inputs: [input] }),
          numbersOf(other, { inputs: [input] }),
        ]);
        expect([ones[0]?.data, twos[0]?.data]).toEqual([
          [1, 2, 3, 4],
          [2, 3, 4, 5],
        ]);
      }
      expect(await numbersOf(one, { inputs: [rowsOf([1, 2], () => 5)] })).toMatchObject([{ data: [6, 6] }]);
    });

    test('is loaded again after the last one is gone', async () => {
      for (const addend of [3, 4]) {
        await using loaded = await load(addingModel(addend));
        expect(await numbersOf(loaded, { inputs: [rowsOf([1, 2], () => 1)] })).toMatchObject([
          { data: [1 + addend, 1 + addend] },
        ]);
      }
    });

    test('answers with the outputs that are asked for, of several inputs', async () => {
      const columns = ['A', 'B', 'C'].map((name) => ({
        input: name,
        output: `${name}_OUT`,
        datatype: 'FP32' as const,
        shape: ['batch', 2],
      }));
      await using loaded = await load(identitiesModel(columns));
      const inputs = columns.map(({ input }, index) => rowsOf([2, 2], (at) => index * 100 + at, input));
      expect(await numbersOf(loaded, { inputs, outputs: ['C_OUT', 'A_OUT'] })).toEqual([
        { name: 'C_OUT', shape: [2, 2], data: [200, 201, 202, 203] },
        { name: 'A_OUT', shape: [2, 2], data: [0, 1, 2, 3] },
      ]);
    });

    test('refuses what does not fit the model, and answers the next', async () => {
      await using loaded = await load(addingModel(1));
      await expect(numbersOf(loaded, { inputs: [rowsOf([1, 3], () => 0)] })).rejects.toThrow('INPUT');
      expect(await numbersOf(loaded, { inputs: [rowsOf([1, 2], () => 0)] })).toMatchObject([
        { data: [1, 1] },
      ]);
    });

    test('lets a caller who hangs up go, and answers the others', async () => {
      await using loaded = await load(addingModel(1));
      const caller = new AbortController();
      const gone = numbersOf(loaded, { inputs: [rowsOf([1, 2], () => 0)], signal: caller.signal });
      const other = numbersOf(loaded, { inputs: [rowsOf([1, 2], () => 7)] });
      caller.abort();
      await expect(gone).rejects.toThrow('hung up');
      expect(await other).toMatchObject([{ data: [8, 8] }]);
    });
  });
}
