import { expect, test } from 'vitest';
import type { InferRequest } from '../../../backends/inference.ts';
import type { Tensor } from '../../../backends/tensor/tensor.ts';
import type { EncodedRequest } from '../../../gateway/upstream/v2-codec.ts';
import { encodeV2Request } from '../../../gateway/upstream/v2-codec.ts';
import { GrpcClient, inferRequest } from '../faces/grpc/grpc-client.ts';
import { startUpstreamGateway } from './upstream-gateway.ts';
import { startVariantServer } from './variant-server.ts';

const LENGTH = 50_001;
const numbers = Array.from({ length: LENGTH }, (_, index) => index - 7);

function inputOf(data: Float32Array, name = 'INPUT'): Tensor {
  return { name, datatype: 'FP32', shape: [1, data.length], data };
}

function requestOf(inputs: readonly Tensor[], more: Partial<InferRequest> = {}): InferRequest {
  return { inputs, deadlineMs: Infinity, ...more };
}

/** What `encoded` is, and how many turns others had until it was. */
async function turnsUntil(
  encoded: EncodedRequest | Promise<EncodedRequest>,
): Promise<{ readonly json: unknown; readonly turns: number }> {
  let turns = 0;
  let isOver = false;
  const turn = (): void => {
    turns += 1;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  const { body } = await encoded;
  isOver = true;
  return { json: JSON.parse(String(body)), turns };
}

test('a request with many numbers as JSON is written in turns, has all of them, and says all that a short one says', async () => {
  const said = {
    id: 'a',
    outputs: ['OUTPUT'],
    priority: 2,
    parameters: { temperature: 0.5 },
    tensorParameters: { inputs: new Map([['INPUT', { scale: 3 }]]), outputs: new Map() },
  };
  const lent = Float32Array.from(numbers);
  const encoding = encodeV2Request(
    requestOf([inputOf(lent), inputOf(Float32Array.of(1), 'SHORT')], said),
    'json',
  );
  lent.fill(0);
  const { json, turns } = await turnsUntil(encoding);
  expect(turns).toBeGreaterThan(LENGTH / 10_000);
  const short = await encodeV2Request(
    requestOf([inputOf(Float32Array.of(2)), inputOf(Float32Array.of(1), 'SHORT')], said),
    'json',
  );
  const expected = JSON.parse(String(short.body)) as { inputs: [object, object] };
  const [first, second] = expected.inputs;
  expect(json).toEqual({ ...expected, inputs: [{ ...first, shape: [1, LENGTH], data: numbers }, second] });
});

test('it is given up once its caller has hung up', async () => {
  const caller = new AbortController();
  const encoding = encodeV2Request(
    requestOf([inputOf(Float32Array.from(numbers))], { signal: caller.signal }),
    'json',
  );
  caller.abort();
  await expect(encoding).rejects.toMatchObject({ kind: 'cancelled' });
});

test('numbers that JSON lacks are refused before any is sent', () => {
  const input = inputOf(Float32Array.from(numbers).fill(NaN, LENGTH - 1));
  expect(() => encodeV2Request(requestOf([input]), 'json')).toThrow(
    "input 'INPUT' has NaN or infinite values",
  );
});

test('bytes that are no text are called so', () => {
  const input: Tensor = { name: 'INPUT', datatype: 'BYTES', shape: [1], data: [Uint8Array.of(0xff)] };
  expect(() => encodeV2Request(requestOf([input]), 'json')).toThrow(
    "input 'INPUT' has bytes that are not UTF-8 text, which the variant's server can't be sent",
  );
});

test('a server that takes JSON gets every number that a caller of gRPC sends', async () => {
  await using server = await startVariantServer();
  await using gateway = await startUpstreamGateway(server.url, { grpc: true, upstream: { tensors: 'json' } });
  using client = new GrpcClient(gateway.server.bound.grpc ?? '');
  const { headers } = await client.call(
    'ModelInfer',
    inferRequest({
      model_name: 'digits',
      inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [LENGTH, 1] }],
      raw_input_contents: [Buffer.from(Float32Array.from(numbers).buffer)],
    }),
  );
  expect(headers['x-experiment']).toBe('digits-cnn=v3');
  expect(server.arrived[0]?.headers['content-type']).toBe('application/json');
  expect(JSON.parse(String(server.arrived[0]?.body))).toMatchObject({
    inputs: [{ name: 'INPUT', data: numbers }],
  });
});
