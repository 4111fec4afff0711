/** Errors say names that callers sent, cut short: one that is cut in the middle of a character must not take the process, with every other call. */
import { status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { GrpcClient, inferRequest } from '../gateway/faces/grpc/grpc-client.ts';
import { startGateway } from '../gateway/running-gateway.ts';
import type { RunningGateway } from '../gateway/running-gateway.ts';
import { identityModel } from '../models/onnx-graph.ts';

/** Its 64th UTF-16 unit is the first half of a character. */
const NAME = `${'a'.repeat(63)}😀`;

let gateway: RunningGateway;
let client: GrpcClient;
beforeAll(async () => {
  gateway = await startGateway({
    grpc: true,
    files: { 'models/simple/1/model.onnx': identityModel('FP32', ['batch', 4]) },
  });
  client = new GrpcClient(gateway.server.bound.grpc ?? '');
});
afterAll(async () => {
  client[Symbol.dispose]();
  await gateway[Symbol.asyncDispose]();
});

test.each([
  ['ModelReady', { name: 'simple', version: NAME }, status.INVALID_ARGUMENT],
  ['ModelMetadata', { name: NAME }, status.NOT_FOUND],
  ['ModelInfer', inferRequest({ model_name: NAME }), status.NOT_FOUND],
  ['Check', { service: NAME }, status.NOT_FOUND],
] as const)('%s answers with an error as every other', async (method, message, code) => {
  await expect(client.call(method, message)).rejects.toMatchObject({
    code,
    details: expect.stringContaining(`${'a'.repeat(63)}\ufffd'`) as string,
  });
});

test('a stream that ends at errors does too', async () => {
  const stream = client.stream('ModelStreamInfer', { triton_grpc_error: 'true' });
  const ended = new Promise<ServiceError>((resolve) => stream.once('error', resolve));
  stream.write(inferRequest({ model_name: NAME }));
  expect(await ended).toMatchObject({ code: status.NOT_FOUND });
  await client.call('ModelInfer', inferRequest());
});
