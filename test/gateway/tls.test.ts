import { readFile } from 'node:fs/promises';
import { get } from 'node:https';
import type { RequestOptions } from 'node:https';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readTls } from '../../gateway/tls.ts';
import { identityModel } from '../models/onnx-graph.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';
import type { TemporaryFolder } from '../models/temporary-folder.ts';
import { GrpcClient, inferRequest } from './faces/grpc/grpc-client.ts';
import { certify } from './certificates.ts';
import { startGateway } from './running-gateway.ts';
import type { RunningGateway } from './running-gateway.ts';

let certificates: TemporaryFolder;
let gateway: RunningGateway;
const pem = (file: string): Promise<Buffer> => readFile(join(certificates.path, file));
beforeAll(async () => {
  certificates = await temporaryFolder({});
  for (const name of ['server', 'client', 'stranger']) await certify(certificates.path, name);
  const file = (name: string): string => JSON.stringify(join(certificates.path, name));
  gateway = await startGateway({
    grpc: true,
    admin: true,
    config:
      `tls: { http: { cert: ${file('server.pem')}, key: ${file('server.key')} }, ` +
      `grpc: { cert: ${file('server.pem')}, key: ${file('server.key')}, ca: ${file('client.pem')} }, ` +
      `admin: { cert: ${file('server.pem')}, key: ${file('server.key')} } }\n`,
    files: { 'models/simple/1/model.onnx': identityModel('FP32', ['batch', 4]) },
  });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await certificates[Symbol.asyncDispose]();
});

function statusOf(
  options: RequestOptions,
  url = gateway.url('/v2/health/ready'),
): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get(url.replace('http:', 'https:'), options, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on('error', reject);
  });
}

test('the data plane over HTTP speaks HTTPS, and nothing else', async () => {
  expect(await statusOf({ ca: await pem('server.pem') })).toBe(200);
  await expect(statusOf({})).rejects.toThrow('self-signed certificate');
  await expect(fetch(gateway.url('/v2/health/ready'))).rejects.toThrow();
});

test('so does the control plane', async () => {
  const url = `http://${gateway.server.bound.admin ?? ''}/api/experiments`;
  expect(await statusOf({ ca: await pem('server.pem') }, url)).toBe(200);
  await expect(fetch(url)).rejects.toThrow();
});

describe('gRPC over TLS', () => {
  const call = async (name: string) => {
    const channel = credentials.createSsl(
      await pem('server.pem'),
      await pem(`${name}.key`),
      await pem(`${name}.pem`),
    );
    using client = new GrpcClient(gateway.server.bound.grpc ?? '', channel);
    return await client.call('ModelInfer', inferRequest());
  };

  test('answers a caller whose certificate is one of those it takes', async () => {
    expect((await call('client')).message).toMatchObject({ model_name: 'simple' });
  });

  test('answers no other', async () => {
    await expect(call('stranger')).rejects.toThrow('UNAVAILABLE');
  });
});

test.each([
  ['server.pem', 'client.key', "tls.grpc: .* can't be used: .*mismatch"],
  ['nothing.pem', 'server.key', "tls.grpc.cert: .*nothing.pem can't be read: ENOENT"],
])('%s with %s is refused before anything starts', async (cert, key, message) => {
  const files = { cert: join(certificates.path, cert), key: join(certificates.path, key) };
  await expect(readTls('grpc', files)).rejects.toThrow(new RegExp(message));
});
