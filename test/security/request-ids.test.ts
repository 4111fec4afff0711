import { expect, test } from 'vitest';
import { GrpcClient, inferRequest } from '../gateway/faces/grpc/grpc-client.ts';
import { startGateway } from '../gateway/running-gateway.ts';
import { identityModel } from '../models/onnx-graph.ts';
import { send } from './raw-socket.ts';

const files = { 'models/simple/1/model.onnx': identityModel('FP32', ['batch', 4]) };
const BODY = JSON.stringify({
  inputs: [{ name: 'INPUT', shape: [1, 4], datatype: 'FP32', data: [1, 2, 3, 4] }],
});

test("a request's id comes back with its answer, an error too, and stands in the log", async () => {
  await using gateway = await startGateway({ files, config: 'telemetry: { logs: { access: 1 } }\n' });
  const answered = await fetch(gateway.url('/v2/models/simple/infer'), {
    method: 'POST',
    headers: { 'x-request-id': 'order-17/a' },
    body: BODY,
  });
  expect([answered.status, answered.headers.get('x-request-id')]).toEqual([200, 'order-17/a']);
  expect(gateway.log.filter((line) => line.includes('"request_id":"order-17/a"'))).toHaveLength(1);
  const missing = await fetch(gateway.url('/nothing'), { headers: { 'x-request-id': 'order-18' } });
  expect([missing.status, missing.headers.get('x-request-id')]).toEqual([404, 'order-18']);
  const unnamed = await fetch(gateway.url('/v2'));
  expect(unnamed.headers.get('x-request-id')).toBeNull();
});

test.each([
  ['a space', 'two words'],
  ['bytes beyond ASCII', 'caf\xe9'],
  ['a tab', 'a\tb'],
  ['too many characters', 'a'.repeat(129)],
  ['nothing', ''],
])('an id with %s is refused, and not said again', async (_, id) => {
  await using gateway = await startGateway({ files });
  const { statuses, text } = await send(
    gateway.server.bound.http ?? '',
    `GET /v2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Request-Id: ${id}\r\n\r\n`,
  );
  expect(statuses).toEqual([400]);
  expect(text).toContain('X-Request-Id has');
  expect(text).not.toMatch(/^x-request-id:/im);
});

test('over gRPC alike', async () => {
  await using gateway = await startGateway({ files, grpc: true });
  using client = new GrpcClient(gateway.server.bound.grpc ?? '');
  const { headers } = await client.call('ModelInfer', inferRequest(), { 'x-request-id': 'order-19' });
  expect(headers['x-request-id']).toBe('order-19');
  await expect(client.call('ModelInfer', inferRequest(), { 'x-request-id': 'two words' })).rejects.toThrow(
    'INVALID_ARGUMENT',
  );
});
