/**
 * Workers die here for real: V8 gives those that are started under a small limit a small heap, and a request of many
 * strings is more than it holds.
 */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { afterEach, expect, test, vi } from 'vitest';
import type { InferRequest } from '../../../backends/inference.ts';
import { ModelVersion } from '../../../backends/model-version.ts';
import { DEFAULT_MODEL_CONFIG } from '../../../backends/repository/model-config.ts';
import { identityModel } from '../../models/onnx-graph.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import { loadVersion } from '../load-version.ts';
import { eventuallyHolds } from '../../eventually-holds.ts';

const ECHO = identityModel('BYTES', ['batch', 'width']);
const OUT_OF_HEAP = /heap out of memory/;

function heapOfNewWorkers(megabytes: number): void {
  setFlagsFromString(`--max-old-space-size=${megabytes}`);
}

const SMALL_HEAP_MB = 32;
const LARGE_HEAP_MB = 1024;

afterEach(() => {
  heapOfNewWorkers(LARGE_HEAP_MB);
  vi.restoreAllMocks();
});

function requestOf(data: readonly string[]): InferRequest {
  const shape = [1, data.length];
  return { inputs: [{ name: 'INPUT', datatype: 'BYTES', shape, data }], deadlineMs: Infinity };
}

/** More strings than a small heap holds. */
function hugeRequest(): InferRequest {
  return requestOf(Array.from({ length: 500_000 }, (_, index) => `${'x'.repeat(100)}${index}`));
}

async function echoOf(version: ModelVersion, text: string): Promise<unknown> {
  const answer = await version.infer(requestOf([text]));
  const copy = answer.outputs.flatMap((output) => [...output.data]);
  answer.release();
  return copy;
}

/** The threads of a version that is idle, by what was posted to them. */
async function threadsOf(version: ModelVersion): Promise<readonly Worker[]> {
  const posts = vi.spyOn(Worker.prototype, 'postMessage');
  await Promise.all(Array.from({ length: version.instances.wanted }, () => echoOf(version, 'who is there?')));
  return [...new Set(posts.mock.contexts.filter((thread) => thread instanceof Worker))];
}

test('a request that kills two workers fails, and the version answers the next one', async () => {
  heapOfNewWorkers(SMALL_HEAP_MB);
  await using loaded = await loadVersion(ECHO);
  const { version, events } = loaded;
  await expect(version.infer(hugeRequest())).rejects.toMatchObject({
    fault: 'run_failed',
    message: expect.stringMatching(OUT_OF_HEAP) as string,
  });
  expect(await echoOf(version, 'still there')).toEqual(['still there']);
  expect(version.instances).toEqual({ ready: 1, hung: 0, wanted: 1 });
  expect(version.lentSlabs).toBe(0);
  expect(events.onWorkerRestart.mock.calls).toEqual([
    ['tested', 1, expect.stringMatching(OUT_OF_HEAP)],
    ['tested', 1, expect.stringMatching(OUT_OF_HEAP)],
  ]);
});

test('of a batch that a worker dies under, only the request that it dies of fails', async () => {
  heapOfNewWorkers(SMALL_HEAP_MB);
  const width = 20_000;
  await using loaded = await loadVersion(identityModel('BYTES', ['batch', width]));
  const { version, events } = loaded;
  const firstOf = async (text: string): Promise<string | undefined> => {
    const answer = await version.infer(
      requestOf(Array.from({ length: width }, (_, index) => `${text}${index}`)),
    );
    const [first] = answer.outputs.flatMap((output) => [...output.data]).map(String);
    answer.release();
    return first;
  };
  const [before, poison, after] = await Promise.allSettled([
    firstOf('before'),
    firstOf('x'.repeat(4000)),
    firstOf('after'),
  ]);
  expect(poison).toMatchObject({ status: 'rejected', reason: { fault: 'run_failed' } });
  expect([before, after]).toEqual([
    { status: 'fulfilled', value: 'before0' },
    { status: 'fulfilled', value: 'after0' },
  ]);
  expect(events.onBatch.mock.calls.map(([{ rows }]) => rows)).toEqual([3, 1, 1, 1]);
  expect(events.onWorkerRestart).toHaveBeenCalledTimes(2);
  expect(version.lentSlabs).toBe(0);
});

test('a request whose worker died is answered by the one that takes its place', async () => {
  heapOfNewWorkers(SMALL_HEAP_MB);
  await using loaded = await loadVersion(ECHO);
  heapOfNewWorkers(LARGE_HEAP_MB);
  const answer = await loaded.version.infer(hugeRequest());
  expect(answer.outputs[0]?.data.length).toBe(500_000);
  answer.release();
  expect(loaded.events.onWorkerRestart).toHaveBeenCalledOnce();
  expect(loaded.version.lentSlabs).toBe(0);
});

test('a worker that ends while it is idle is replaced', async () => {
  await using loaded = await loadVersion(ECHO);
  const { version, events } = loaded;
  const [thread] = await threadsOf(version);
  await thread?.terminate();
  expect(await echoOf(version, 'still there')).toEqual(['still there']);
  expect(events.onWorkerRestart.mock.calls).toEqual([['tested', 1, 'exit code 1']]);
});

test('workers that end while they are idle cost a request none of its tries', async () => {
  await using loaded = await loadVersion(ECHO, { instances: 2, maxBatchSize: 1 });
  const { version } = loaded;
  const threads = await threadsOf(version);
  await Promise.all(threads.map((thread) => thread.terminate()));
  expect(threads).toHaveLength(2);
  expect(await echoOf(version, 'still there')).toEqual(['still there']);
});

test('a worker that ends leaves the others of its version at work', async () => {
  await using loaded = await loadVersion(ECHO, { instances: 2, maxBatchSize: 1 });
  const { version } = loaded;
  const [thread] = await threadsOf(version);
  await thread?.terminate();
  const texts = Array.from({ length: 50 }, (_, index) => `text ${index}`);
  expect(await Promise.all(texts.map((text) => echoOf(version, text)))).toEqual(texts.map((text) => [text]));
  await eventuallyHolds(() => {
    expect(version.instances).toEqual({ ready: 2, hung: 0, wanted: 2 });
  });
});

test('while no worker can be started, requests are told why; as soon as one can, they are answered', async () => {
  await using folder = await temporaryFolder({ 'model.onnx': ECHO });
  const modelFile = join(folder.path, 'model.onnx');
  const onWorkerRestart = vi.fn<(model: string, version: number, reason: string) => void>();
  const version = await ModelVersion.load({
    model: 'tested',
    version: 1,
    modelFile,
    config: DEFAULT_MODEL_CONFIG,
    labels: [],
    digest: '',
    threads: 1,
    events: { onBatch: vi.fn(), onWorkerRestart, onHang: vi.fn(), onPlacement: vi.fn() },
  });
  const [thread] = await threadsOf(version);
  await rename(modelFile, join(folder.path, 'away.onnx'));
  await thread?.terminate();
  await expect(echoOf(version, 'anybody?')).rejects.toMatchObject({
    fault: 'unavailable',
    message: expect.stringContaining(modelFile) as string,
  });
  expect(version.instances).toEqual({ ready: 0, hung: 0, wanted: 1 });
  await rename(join(folder.path, 'away.onnx'), modelFile);
  expect(await echoOf(version, 'back again')).toEqual(['back again']);
  expect(onWorkerRestart).toHaveBeenCalledWith('tested', 1, expect.stringContaining(modelFile));
  await version.close();
});

test('a version that has no worker left can be closed', async () => {
  const loaded = await loadVersion(ECHO);
  const [thread] = await threadsOf(loaded.version);
  await thread?.terminate();
  await loaded[Symbol.asyncDispose]();
  await expect(echoOf(loaded.version, 'too late')).rejects.toMatchObject({ fault: 'unavailable' });
});
