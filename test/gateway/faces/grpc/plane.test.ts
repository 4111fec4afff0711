import { status } from '@grpc/grpc-js';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { ERRORS } from '../../../../gateway/errors.ts';
import { GrpcPlane } from '../../../../gateway/faces/grpc/plane.ts';
import { GRPC_STATUS } from '../../../../gateway/faces/grpc/status.ts';
import { identityModel } from '../../../models/onnx-graph.ts';
import { startGateway } from '../../running-gateway.ts';
import { GrpcClient, inferRequest } from './grpc-client.ts';

const start = () =>
  startGateway({ grpc: true, files: { 'models/simple/1/model.onnx': identityModel('FP32', ['batch', 4]) } });

test('stopping is told to those who watch, ends open streams, and keeps nobody waiting', async () => {
  await using gateway = await start();
  using client = new GrpcClient(gateway.server.bound.grpc ?? '');
  const statuses: unknown[] = [];
  const firstSeen = Promise.withResolvers<undefined>();
  const watched = (async () => {
    for await (const said of client.watch('')) {
      statuses.push(said.status);
      if (statuses.length === 1) firstSeen.resolve(undefined);
    }
  })();
  await firstSeen.promise;

  const stream = client.stream('ModelStreamInfer');
  const ended = new Promise((resolve) => stream.on('error', resolve));
  const answered = new Promise((resolve) => stream.once('data', resolve));
  stream.write(inferRequest());
  await answered;
  // A stream of reflection that nobody closes.
  const reflection = client.stream('ServerReflectionInfo');
  const listed = new Promise((resolve) => reflection.once('data', resolve));
  reflection.write({ list_services: '' });
  await listed;

  expect(await gateway.server.stop()).toBe(true);
  await watched;
  expect(statuses).toEqual(['SERVING', 'NOT_SERVING']);
  expect(await ended).toMatchObject({
    code: status.UNAVAILABLE,
    details: expect.stringContaining('is stopping') as string,
  });
});

test('health is of the server and the inference service, and of nothing else', async () => {
  await using gateway = await start();
  using client = new GrpcClient(gateway.server.bound.grpc ?? '');
  for (const service of ['', 'inference.GRPCInferenceService']) {
    expect((await client.call('Check', { service })).message).toEqual({ status: 'SERVING' });
  }
  await expect(client.call('Check', { service: 'simple' })).rejects.toMatchObject({ code: status.NOT_FOUND });
  for await (const said of client.watch('simple')) {
    expect(said).toEqual({ status: 'SERVICE_UNKNOWN' });
    break;
  }
});

test('reflection knows services, files and every symbol in them', async () => {
  await using gateway = await start();
  using client = new GrpcClient(gateway.server.bound.grpc ?? '');
  const stream = client.stream('ServerReflectionInfo');
  const ask = (request: Record<string, string>): Promise<Record<string, unknown>> =>
    new Promise((resolve) => {
      stream.once('data', resolve);
      stream.write(request);
    });
  const services = await ask({ list_services: '' });
  expect(services.list_services_response).toEqual({
    service: [
      'inference.GRPCInferenceService',
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
    ].map((name) => ({ name })),
  });
  const file = (await ask({ file_by_filename: 'inference.proto' })).file_descriptor_response;
  expect(file).toMatchObject({ file_descriptor_proto: [expect.any(Buffer)] });
  for (const file_containing_symbol of [
    'inference.GRPCInferenceService',
    'inference.GRPCInferenceService.ModelInfer',
    'inference.ModelInferRequest.InferInputTensor',
    'inference.DataType',
    'inference.ModelEnsembling.Step',
  ]) {
    expect((await ask({ file_containing_symbol })).file_descriptor_response).toEqual(file);
  }
  expect(await ask({ file_containing_symbol: 'inference.Nothing' })).toMatchObject({
    error_response: { error_code: status.NOT_FOUND },
  });
  stream.end();
});

test('an address that is taken is told', async () => {
  await using gateway = await start();
  const taken = Number(gateway.server.bound.grpc?.split(':').at(-1));
  await expect(GrpcPlane.listen(gateway.server.gateway, { host: '127.0.0.1', port: taken })).rejects.toThrow(
    'EADDRINUSE',
  );
});

test('docs/grpc.md says the status of every error', async () => {
  const text = await readFile(new URL('../../../../docs/grpc.md', import.meta.url), 'utf8');
  const stated = [...text.matchAll(/^\| `(\w+)` +\| `(\w+)` +\|$/gm)].map(([, code, name]) => [code, name]);
  expect(stated).toEqual(
    Object.keys(ERRORS).map((code) => [code, status[GRPC_STATUS[code as keyof typeof ERRORS]]]),
  );
});
