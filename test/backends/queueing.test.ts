/** Queue policies, order, fairness and the unbatched way, over real models. */
import { expect, test } from 'vitest';
import { BackendError } from '../../backends/errors.ts';
import type { InferRequest } from '../../backends/inference.ts';
import type { ModelVersion } from '../../backends/model-version.ts';
import { DEFAULT_QUEUE_POLICY } from '../../backends/batching/batching-config.ts';
import type { BatchingConfig } from '../../backends/batching/batching-config.ts';
import { DEFAULT_MODEL_CONFIG } from '../../backends/repository/model-config.ts';
import { Device } from '../../backends/scheduling/device.ts';
import { slowModel } from '../models/small-models.ts';
import { loadVersion } from './load-version.ts';

const SIDE = 64;

function batching(config: Partial<BatchingConfig>): { readonly batching: BatchingConfig } {
  return { batching: { ...DEFAULT_MODEL_CONFIG.batching, ...config } };
}

/** A request of so many rows of a model that multiplies squares. */
function squares(rows: number, more: Partial<InferRequest> = {}): InferRequest {
  const data = new Float32Array(rows * SIDE * SIDE);
  return {
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [rows, SIDE, SIDE], data }],
    deadlineMs: Infinity,
    ...more,
  };
}

/** How requests ended, in the order they did: their names, or why they got no answer. */
async function ends(
  version: ModelVersion,
  requests: Readonly<Record<string, InferRequest>>,
): Promise<readonly string[]> {
  const ended: string[] = [];
  await Promise.all(
    Object.entries(requests).map(async ([name, request]) => {
      try {
        const answer = await version.infer(request);
        answer.release();
        ended.push(name);
      } catch (error) {
        if (!(error instanceof BackendError)) throw error;
        ended.push(`${name}: ${error.message}`);
      }
    }),
  );
  return ended;
}

test("what outstays its timeout behind a long run is refused in Triton's words, and what is one too many at once", async () => {
  // So long that it is not over before the others have come, however late a busy machine lets them.
  await using loaded = await loadVersion(slowModel(SIDE, 256), {
    maxBatchSize: 32,
    ...batching({
      defaultQueuePolicy: {
        ...DEFAULT_QUEUE_POLICY,
        allowTimeoutOverride: true,
        maxQueueSize: 2,
      },
    }),
  });
  const { version, events } = loaded;
  const blocker = version.infer(squares(32));
  while (events.onBatch.mock.calls.length === 0) await new Promise((resolve) => setImmediate(resolve));
  expect(
    await ends(version, {
      impatient: squares(1, { timeoutMs: 2 }),
      patient: squares(1),
      third: squares(1),
    }),
  ).toEqual([
    'third: Exceeds maximum queue size (2 requests)',
    'impatient: Request timeout expired',
    'patient',
  ]);
  (await blocker).release();
  expect(version.lentSlabs).toBe(0);
});

test('a small request on one instance waits for the answer of the big one that came before it on another', async () => {
  const requests = { big: squares(8), small: squares(1) };
  const config = { maxBatchSize: 8, instances: 2 };
  await using ordered = await loadVersion(slowModel(SIDE, 64), {
    ...config,
    ...batching({ preserveOrdering: true }),
  });
  for (let round = 0; round < 5; round++) {
    expect(await ends(ordered.version, requests)).toEqual(['big', 'small']);
  }
});

test('with batching off each request runs alone', async () => {
  await using loaded = await loadVersion(slowModel(SIDE, 1), {
    maxBatchSize: 8,
    ...batching({ enabled: false }),
  });
  const { version, events } = loaded;
  const requests = Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`r${index}`, squares(2)]));
  expect(await ends(version, requests)).toHaveLength(10);
  expect(events.onBatch.mock.calls.map(([{ rows, reason }]) => [rows, reason])).toEqual(
    Array.from({ length: 10 }, () => [2, 'idle']),
  );
});

test('a version with a target refuses what its queue leaves no time for, and answers the rest', async () => {
  await using loaded = await loadVersion(slowModel(SIDE, 64), {
    maxBatchSize: 4,
    ...batching({ targetLatencyMs: 20 }),
  });
  const { version } = loaded;
  for (let lesson = 0; lesson < 12; lesson++) await ends(version, { lesson: squares(1 + (lesson % 4)) });
  const flood = Object.fromEntries(Array.from({ length: 400 }, (_, index) => [`r${index}`, squares(4)]));
  const ended = await ends(version, flood);
  const refused = ended.filter((one) => one.includes(": the request can't be answered within 20 ms"));
  expect(refused.length).toBeGreaterThan(200);
  expect(ended).toHaveLength(400);
  expect(ended.length - refused.length).toBeGreaterThan(0);
  expect(await ends(version, { later: squares(1) })).toEqual(['later']);
});

test('a flood of requests for one version does not starve another on the same thread', async () => {
  const device = new Device(1);
  await using flooded = await loadVersion(slowModel(SIDE, 16), { maxBatchSize: 4 }, device);
  await using light = await loadVersion(slowModel(SIDE, 16), { maxBatchSize: 4 }, device);
  // One run that the machine holds up is charged to the one it was of, and lets the other catch up.
  let left = 2000;
  const flood = Promise.all(
    Array.from({ length: left }, async () => {
      (await flooded.version.infer(squares(4))).release();
      left -= 1;
    }),
  );
  for (let request = 0; request < 20; request++) (await light.version.infer(squares(1))).release();
  // Each of the twenty has waited for about one batch of the other; the flood is far from over.
  expect(left).toBeGreaterThan(1000);
  await flood;
});
