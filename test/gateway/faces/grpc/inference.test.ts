import { once } from 'node:events';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { identityModel } from '../../../models/onnx-graph.ts';
import { slowModel } from '../../../models/small-models.ts';
import { experimentFile, metricValue, startGateway } from '../../running-gateway.ts';
import type { RunningGateway } from '../../running-gateway.ts';
import { GrpcClient, inferRequest } from './grpc-client.ts';
import { eventuallyHolds } from '../../../eventually-holds.ts';

let gateway: RunningGateway;
let client: GrpcClient;
beforeAll(async () => {
  gateway = await startGateway({
    grpc: true,
    config: 'server: { bodyLimit: 1MiB }\n',
    files: {
      'models/simple/1/model.onnx': identityModel('FP32', ['batch', 4]),
      'models/simple/2/model.onnx': identityModel('FP32', ['batch', 4]),
      'models/wide/1/model.onnx': identityModel('FP32', [1, 262_144]),
      'models/slow/1/model.onnx': slowModel(256, 2500),
      'models/patient/1/model.onnx': identityModel('FP32', ['batch', 4]),
      // A request stays in the queue until there are four to be run together.
      'models/patient/config.yaml':
        'max_batch_size: 4\ndynamic_batching: { preferred_batch_size: [4], max_queue_delay_microseconds: 60000000 }\n',
      'experiments/simple.yaml': experimentFile({ key: 'simple-ab', model: 'simple' }),
    },
  });
  client = new GrpcClient(gateway.server.bound.grpc ?? '');
});
afterAll(async () => {
  client[Symbol.dispose]();
  await gateway[Symbol.asyncDispose]();
});

const SLOW = {
  model_name: 'slow',
  inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 256, 256] }],
  raw_input_contents: [Buffer.alloc(256 * 256 * 4)],
};

const PATIENT = inferRequest({ model_name: 'patient' });

/** Requests over gRPC that ended so, of a model; of those that were refused before they were routed: ''. */
async function counted(outcome: string, model: string): Promise<number> {
  return metricValue(await gateway.metrics(), 'signalbox_requests_total', {
    outcome,
    model,
    protocol: 'grpc',
  });
}

describe('ModelInfer', () => {
  test('raw in, raw out, with the experiment and the times as initial metadata', async () => {
    const before = await counted('ok', 'simple');
    const { message, headers } = await client.call('ModelInfer', inferRequest({ id: 'r-1' }), {
      'x-user-id': 'ada',
    });
    const http = await fetch(gateway.url('/v2/models/simple/infer'), {
      method: 'POST',
      headers: { 'x-user-id': 'ada' },
      body: JSON.stringify({
        inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] }],
      }),
    });
    // The same unit, the same variant, whatever the protocol.
    expect(headers['x-experiment']).toBe(http.headers.get('x-experiment'));
    expect(headers['x-experiment-reason']).toBe('split');
    expect(headers['server-timing']).toMatch(
      /^route;dur=[\d.]+, queue;dur=[\d.]+, compute;dur=[\d.]+, total;dur=/,
    );
    expect(message).toMatchObject({
      model_name: 'simple',
      model_version: headers['x-experiment']?.at(-1),
      id: 'r-1',
      outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: ['1', '4'] }],
      raw_output_contents: [Buffer.from(Float32Array.of(1, 2.5, -3, 4).buffer)],
    });
    expect((await counted('ok', 'simple')) - before).toBe(1);
  });

  test('a call that names a version is pinned', async () => {
    const { message, headers } = await client.call('ModelInfer', inferRequest({ model_version: '2' }));
    expect(message.model_version).toBe('2');
    expect(headers).not.toHaveProperty('x-experiment');
  });

  test('a message of the body limit is taken, and a larger one is not', async () => {
    const wide = (bytes: number) => ({
      model_name: 'wide',
      inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, bytes / 4] }],
      raw_input_contents: [Buffer.alloc(bytes)],
    });
    const { message } = await client.call('ModelInfer', wide(1024 * 1024));
    expect(message.raw_output_contents).toEqual([Buffer.alloc(1024 * 1024)]);
    await expect(client.call('ModelInfer', wide(1280 * 1024))).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
    });
  });

  test.each<[string, object, Readonly<Record<string, string>>, status, string]>([
    ['an unknown model', { model_name: 'nobody' }, {}, status.NOT_FOUND, 'Request for unknown model'],
    [
      'a version that is none',
      { model_version: 'two' },
      {},
      status.INVALID_ARGUMENT,
      'version should be an integer > 0',
    ],
    ['an unknown variant', {}, { 'x-experiment': 'v9' }, status.INVALID_ARGUMENT, 'known variants: v1, v2'],
    [
      'an override of a pinned call',
      { model_version: '1' },
      { 'x-experiment': 'v2' },
      status.INVALID_ARGUMENT,
      'the call names version 1',
    ],
    [
      'a wrong type',
      { inputs: [{ name: 'INPUT', datatype: 'INT32', shape: [1, 4] }] },
      {},
      status.INVALID_ARGUMENT,
      "data-type is 'INT32'",
    ],
    [
      'too few raw bytes',
      { raw_input_contents: [Buffer.alloc(12)] },
      {},
      status.INVALID_ARGUMENT,
      'has 12 bytes',
    ],
    [
      'raw bytes for some inputs only',
      { raw_input_contents: [Buffer.alloc(16), Buffer.alloc(16)] },
      {},
      status.INVALID_ARGUMENT,
      'has 2 entries for 1 inputs',
    ],
    [
      'raw and typed contents',
      { inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 4], contents: { fp32_contents: [1] } }] },
      {},
      status.INVALID_ARGUMENT,
      'both contents and raw_input_contents',
    ],
    [
      'a sequence',
      { parameters: { sequence_id: { int64_param: 3 } } },
      {},
      status.UNIMPLEMENTED,
      'sequences are not supported',
    ],
    [
      'shared memory',
      { outputs: [{ name: 'OUTPUT', parameters: { shared_memory_region: { string_param: 'r' } } }] },
      {},
      status.UNIMPLEMENTED,
      'shared memory is not supported',
    ],
  ])('%s is refused', async (_, fields, headers, code, details) => {
    const refused = client.call('ModelInfer', inferRequest({ ...fields }), headers);
    await expect(refused).rejects.toMatchObject({
      code,
      details: expect.stringContaining(details) as string,
    });
  });

  test('what the caller asked wrongly is not counted as the model’s fault', async () => {
    const before = await counted('error', 'simple');
    const parameters = { sequence_id: { int64_param: 3 } };
    await expect(client.call('ModelInfer', inferRequest({ parameters }))).rejects.toThrow();
    expect(await counted('error', 'simple')).toBe(before);
  });

  test('a timeout and a priority may have all of their 64 bits', async () => {
    const parameters = {
      timeout: { int64_param: '9223372036854775807' },
      priority: { uint64_param: '18446744073709551615' },
    };
    const { message } = await client.call('ModelInfer', inferRequest({ parameters }));
    expect(message).toMatchObject({ model_name: 'simple' });
  });

  test('bytes that are no message are refused, and the connection serves on', async () => {
    await expect(client.sendBytes('ModelInfer', Buffer.from('no protobuf'))).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: expect.stringContaining('failed to parse the request') as string,
    });
    await client.call('ModelInfer', inferRequest());
  });
});

describe('a caller who doesn’t wait', () => {
  test('past its deadline, it is told so, and it counts as a timeout', async () => {
    await eventuallyHolds(async () => {
      // The header alone: a client's own timer may end its call before the gateway's does.
      const call = client.call('ModelInfer', SLOW, { 'grpc-timeout': '100m' });
      await expect(call).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
      // On a busy machine the time may be over before the call has come to the model.
      expect(await counted('timeout', 'slow')).toBeGreaterThan(0);
    });
    expect(await counted('cancelled', 'slow')).toBe(0);
  });

  test.each(['43200M', '99999999S', '99999999H', '720H'])(
    'has all the time of a deadline as far off as %s',
    async (timeout) => {
      const headers = { 'grpc-timeout': timeout };
      await client.call('ModelInfer', inferRequest(), headers);
      const stream = client.stream('ModelStreamInfer', headers);
      const ended = once(stream, 'end');
      stream.resume().end(inferRequest());
      await ended;
    },
  );

  test('who cancels leaves the queue, and the model is not run for it', async () => {
    const version = gateway.server.gateway.repository.model('patient')?.version(1);
    if (version === undefined) throw new Error('patient is not served');
    const abort = new AbortController();
    const queued = client.call('ModelInfer', PATIENT, {}, { signal: abort.signal });
    await eventuallyHolds(() => {
      expect(version.queued).toBe(1);
    });
    abort.abort();
    await expect(queued).rejects.toMatchObject({ code: status.CANCELLED });
    await eventuallyHolds(async () => {
      expect(await counted('cancelled', 'patient')).toBe(1);
    });
    await Promise.all([1, 2, 3, 4].map(() => client.call('ModelInfer', PATIENT)));
    expect(version.statistics).toMatchObject({
      success: { count: 4 },
      fail: { count: 1 },
      requests: { computeInfer: { count: 4 } },
    });
  });
});

describe('ModelStreamInfer', () => {
  const answersOf = (stream: ReturnType<GrpcClient['stream']>, count: number) =>
    new Promise<readonly Record<string, unknown>[]>((resolve, reject) => {
      const answers: Record<string, unknown>[] = [];
      stream.on('error', reject);
      stream.on('data', (answer: Record<string, unknown>) => {
        answers.push(answer);
        if (answers.length === count) resolve(answers);
      });
    });

  test('answers come in the order of the requests, also behind a slow one, and errors among them', async () => {
    const stream = client.stream('ModelStreamInfer');
    const answers = answersOf(stream, 202);
    stream.write({ ...SLOW, id: 'slow' });
    stream.write(inferRequest({ model_name: 'nobody', id: 'bad' }));
    for (let index = 0; index < 200; index++) stream.write(inferRequest({ id: String(index) }));
    stream.end();
    const [slow, bad, ...others] = await answers;
    expect(slow).toMatchObject({ error_message: '', infer_response: { id: 'slow', model_name: 'slow' } });
    expect(bad).toMatchObject({
      error_message: expect.stringContaining('Request for unknown model') as string,
      infer_response: { id: 'bad', outputs: [] },
    });
    expect(others.map(({ infer_response }) => (infer_response as { id: string }).id)).toEqual(
      Array.from({ length: 200 }, (_, index) => String(index)),
    );
    expect(others[0]).toMatchObject({
      infer_response: {
        parameters: {
          'x-experiment': { string_param: expect.stringMatching(/^simple-ab=v[12]$/) as string },
          'x-experiment-reason': { string_param: 'split' },
        },
      },
    });
  });

  test('an answer that is an error says which variant it is of', async () => {
    const stream = client.stream('ModelStreamInfer');
    const answers = answersOf(stream, 1);
    stream.write(inferRequest({ outputs: [{ name: 'NONE' }] }));
    stream.end();
    expect(await answers).toMatchObject([
      {
        error_message: expect.stringContaining('NONE') as string,
        infer_response: {
          parameters: {
            'x-experiment': { string_param: expect.stringMatching(/^simple-ab=v[12]$/) as string },
            'x-experiment-reason': { string_param: 'split' },
          },
        },
      },
    ]);
  });

  test('a caller may ask that an error ends the stream with a status', async () => {
    const stream = client.stream('ModelStreamInfer', { triton_grpc_error: 'true' });
    const answers = answersOf(stream, 2);
    stream.write(inferRequest());
    stream.write(inferRequest({ model_name: 'nobody' }));
    await expect(answers).rejects.toMatchObject({ code: status.NOT_FOUND });
  });

  test('a stream that is cancelled takes what it has in the queue with it', async () => {
    const before = await counted('cancelled', 'patient');
    const stream = client.stream('ModelStreamInfer');
    stream.on('error', () => undefined);
    for (let index = 0; index < 3; index++) stream.write(PATIENT);
    await eventuallyHolds(() => {
      expect(gateway.server.gateway.repository.model('patient')?.version(1)?.queued).toBe(3);
    });
    stream.cancel();
    await eventuallyHolds(async () => {
      expect((await counted('cancelled', 'patient')) - before).toBe(3);
    });
  });
});
