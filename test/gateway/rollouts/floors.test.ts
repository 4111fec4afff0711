/** Each hard floor is met for real, and the version is taken back at the fault that meets it. */
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { afterEach, expect, test, vi } from 'vitest';
import type { MockInstance } from 'vitest';
import type { ToWorker } from '../../../backends/onnx/messages.ts';
import { nanClassifier, rightClassifier, stuckClassifier } from '../../models/classifiers.ts';
import { identityModel } from '../../models/onnx-graph.ts';
import { GrpcClient, inferRequest } from '../faces/grpc/grpc-client.ts';
import { eventually } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';
import { history, startRollout, stateOf } from './rolled-out.ts';
import type { RolledOut } from './rolled-out.ts';

const WAITING = { steps: [{ match: [{ headers: { 'x-tester': 'yes' } }] }, { pause: {} }] };

afterEach(() => {
  setFlagsFromString('--max-old-space-size=1024');
  vi.restoreAllMocks();
});

/** Version 2 has those whom a rule sends there, and stays there. */
async function waiting(options: Partial<RolledOut>): Promise<RunningGateway> {
  const gateway = await startRollout({
    version2: rightClassifier(),
    config: 'state: memory',
    ...options,
    rollout: { ...WAITING, interval: '1h', ...options.rollout },
  });
  await eventually(() => stateOf(gateway)?.kind === 'waiting_for_approval');
  return gateway;
}

async function askVersion2(gateway: RunningGateway): Promise<number> {
  const response = await fetch(gateway.url('/v2/models/classes/infer'), {
    method: 'POST',
    headers: { 'x-tester': 'yes' },
    body: JSON.stringify({
      inputs: [{ name: 'SCORES', shape: [1, 4], datatype: 'FP32', data: [1, 0, 0, 0] }],
    }),
  });
  await response.arrayBuffer();
  return response.status;
}

/** The thread that was given a run; folders are listed on a thread too. */
function threadOfRun({ calls, contexts }: MockInstance<Worker['postMessage']>['mock']): Worker {
  const thread = contexts[calls.findIndex(([message]) => (message as Partial<ToWorker>).kind === 'run')];
  if (!(thread instanceof Worker)) throw new Error('no thread was given a run');
  return thread;
}

/** Waits until it is rolled back, for the cause; the plan's own look at how the version does comes an hour later. */
async function expectRolledBack(gateway: RunningGateway, cause: string): Promise<void> {
  await eventually(() => stateOf(gateway)?.kind === 'rolled_back');
  expect((await history(gateway)).at(-1)?.reason).toBe(`hard_floor: ${cause}`);
  expect(gateway.log.join('')).toContain('met a hard floor');
}

test('values that are not finite, three answers in a row', async () => {
  await using gateway = await waiting({ version2: nanClassifier() });
  for (let count = 0; count < 3; count += 1) {
    expect(stateOf(gateway)?.kind).toBe('waiting_for_approval');
    expect(await askVersion2(gateway)).toBe(422);
  }
  await expectRolledBack(gateway, 'v2: 3 answers in a row had a value that is not finite');
});

test('timeouts, as many in a row as the plan says', async () => {
  await using gateway = await waiting({
    version2: stuckClassifier(),
    // A run that hung would make the others fail in another way.
    config: 'state: memory\ntimeouts: { inference: 200ms, run: 60s }',
    rollout: { hardFloor: { consecutiveTimeouts: 4 } },
  });
  const statuses = await Promise.all(Array.from({ length: 4 }, () => askVersion2(gateway)));
  expect(statuses).toEqual([504, 504, 504, 504]);
  await expectRolledBack(gateway, 'v2: 4 requests in a row timed out');
});

test('workers that die, three within a step, though no request fails', async () => {
  await using gateway = await waiting({});
  const posts = vi.spyOn(Worker.prototype, 'postMessage');
  for (let deaths = 0; deaths < 3; deaths += 1) {
    posts.mockClear();
    expect(await askVersion2(gateway)).toBe(200);
    await threadOfRun(posts.mock).terminate();
  }
  await expectRolledBack(gateway, 'v2: 3 workers died');
});

test('memory that runs out: a worker’s heap is full, twice', async () => {
  const echo = identityModel('BYTES', ['batch', 'width']);
  // V8 gives it to the threads that are started under it: those of the versions.
  setFlagsFromString('--max-old-space-size=32');
  await using gateway = await waiting({
    grpc: true,
    version2: echo,
    files: { 'models/classes/1/model.onnx': echo },
    experiment: { metrics: [], guardrails: [] },
  });
  using client = new GrpcClient(gateway.server.bound.grpc ?? '');
  const message = stringsOf(200_000);
  // A machine that is busy with so long a message may be too late for it, and turns it away at the door.
  let refused: unknown;
  await eventually(async () => {
    const asking = client.call('ModelInfer', message, { 'x-tester': 'yes' });
    const { code, details } = (await asking.catch((error: unknown) => error)) as ServiceError;
    refused = { code, details };
    return !details.startsWith('there is too much to do');
  });
  expect(refused).toMatchObject({ code: status.INTERNAL });
  await expectRolledBack(gateway, 'v2: 2 times memory ran out');
});

/** More text than a small heap holds, over gRPC, which reads it on the main thread: another one would run out of memory first. */
function stringsOf(count: number): Readonly<Record<string, unknown>> {
  const text = Buffer.from('x'.repeat(250));
  const element = Buffer.alloc(4 + text.length);
  element.writeUInt32LE(text.length);
  text.copy(element, 4);
  return inferRequest({
    model_name: 'classes',
    inputs: [{ name: 'INPUT', datatype: 'BYTES', shape: [1, count] }],
    raw_input_contents: [Buffer.concat(Array.from({ length: count }, () => element))],
  });
}
