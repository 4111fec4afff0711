/** One request that its model can't take, among others that it can: a real model that throws while it runs. */
import { expect, test } from 'vitest';
import type { InferRequest } from '../../../backends/inference.ts';
import { lookupModel } from '../../models/small-models.ts';
import { loadVersion } from '../load-version.ts';

/** Looks up a place of `[10, 20, 30, 40]`. */
function lookUp(place: bigint): InferRequest {
  const data = BigInt64Array.of(place);
  return { inputs: [{ name: 'INPUT', datatype: 'INT64', shape: [1, 1], data }], deadlineMs: Infinity };
}

test('only the poisonous requests of a batch fail, and every other gets its own answer', async () => {
  await using loaded = await loadVersion(lookupModel());
  const { version, events } = loaded;
  const places = [0n, 1n, 99n, 3n, 2n, 0n, -77n, 1n];
  const answers = await Promise.all(
    places.map((place) =>
      version.infer(lookUp(place)).then(
        (answer) => {
          const value = answer.outputs[0]?.data[0];
          answer.release();
          return value;
        },
        (error: unknown) => (error instanceof Error ? error.message : ''),
      ),
    ),
  );
  expect(answers).toEqual([
    10,
    20,
    expect.stringMatching(/^the model failed: .*idx=99 must be within/s),
    40,
    30,
    10,
    expect.stringMatching(/^the model failed: .*idx=-77 must be within/s),
    20,
  ]);
  expect(events.onBatch).toHaveBeenCalledOnce();
  expect(version.lentSlabs).toBe(0);
});
