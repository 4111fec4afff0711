import { describe, expect, test } from 'vitest';
import type { InferRequest } from '../../backends/inference.ts';
import type { Servable } from '../../backends/servable.ts';

/** A version that adds one to each of a row's two numbers, `INPUT` to `OUTPUT`, until it is disposed of. */
export interface OpenServable extends AsyncDisposable {
  readonly version: Servable;
}

const LONG_MS = 20_000;

function rows(...values: readonly number[]): InferRequest {
  const data = Float32Array.from(values);
  return {
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [values.length / 2, 2], data }],
    deadlineMs: performance.now() + LONG_MS,
  };
}

async function answer(version: Servable, request: InferRequest): Promise<readonly unknown[]> {
  const answered = await version.infer(request);
  const [output] = answered.outputs;
  const values = [...(output?.data ?? [])];
  answered.release();
  expect(output).toMatchObject({ name: 'OUTPUT', datatype: 'FP32', shape: request.inputs[0]?.shape });
  return values;
}

/** What the pipeline and the faces rely on, whatever stands behind a version. */
export function describeServable(name: string, open: () => Promise<OpenServable>): void {
  describe(`${name}, as a version that answers`, () => {
    test('says what it takes and gives, and which it is', async () => {
      await using opened = await open();
      const { version } = opened;
      expect(version.about.inputs).toEqual([{ name: 'INPUT', datatype: 'FP32', shape: [-1, 2] }]);
      expect(version.about.outputs).toEqual([{ name: 'OUTPUT', datatype: 'FP32', shape: [-1, 2] }]);
      expect(version.about.maxBatchSize).toBeGreaterThan(0);
      expect(version.about.platform).toBe('onnxruntime_onnx');
    });

    test('gives each of many requests at once its own rows, and counts them', async () => {
      await using opened = await open();
      const { version } = opened;
      const before = version.statistics.success.count;
      const answers = await Promise.all(
        Array.from({ length: 60 }, (_, index) =>
          answer(version, index % 3 === 0 ? rows(index, -index, index, 0.5) : rows(index, -index)),
        ),
      );
      answers.forEach((values, index) => {
        const own = [index + 1, 1 - index];
        expect(values).toEqual(index % 3 === 0 ? [...own, index + 1, 1.5] : own);
      });
      expect(version.statistics.success.count - before).toBe(60);
    });

    test('ends a request that nobody waits for any more, and no other', async () => {
      await using opened = await open();
      const { version } = opened;
      const caller = new AbortController();
      const gone = version.infer({ ...rows(1, 2), signal: caller.signal });
      const stays = answer(version, rows(3, 4));
      caller.abort();
      // It may have been answered already: whoever is gone is not there to see.
      await gone.then((answered) => {
        answered.release();
      }, String);
      await expect(version.infer({ ...rows(1, 2), signal: AbortSignal.abort() })).rejects.toThrow();
      expect(await stays).toEqual([4, 5]);
    });

    test('answers nothing past its deadline, and goes on', async () => {
      await using opened = await open();
      const { version } = opened;
      await expect(version.infer({ ...rows(1, 2), deadlineMs: performance.now() - 1 })).rejects.toThrow();
      expect(await answer(version, rows(5, 6))).toEqual([6, 7]);
    });

    test('stays until nobody holds it, however early it is closed', async () => {
      await using opened = await open();
      const { version } = opened;
      const release = version.hold();
      let isClosed = false;
      const closed = version.close().then(() => {
        isClosed = true;
      });
      expect(await answer(version, rows(7, 8))).toEqual([8, 9]);
      expect(isClosed).toBe(false);
      release();
      await closed;
    });
  });
}
