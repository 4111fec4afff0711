import { describe, expect, test } from 'vitest';
import { clientAddress } from '../../gateway/trust/client-address.ts';
import { GrpcClient, inferRequest } from '../gateway/faces/grpc/grpc-client.ts';
import { startGateway } from '../gateway/running-gateway.ts';
import type { RunningGateway } from '../gateway/running-gateway.ts';
import { identityModel } from '../models/onnx-graph.ts';

const files = { 'models/simple/1/model.onnx': identityModel('FP32', ['batch', 4]) };
const ONCE_A_MINUTE = 'limits: { addressRate: 1/m burst 1 }\n';

async function infer(gateway: RunningGateway, forwardedFor?: string): Promise<number> {
  const response = await fetch(gateway.url('/v2/models/simple/infer'), {
    method: 'POST',
    headers: forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor },
    body: JSON.stringify({
      inputs: [{ name: 'INPUT', shape: [1, 4], datatype: 'FP32', data: [1, 2, 3, 4] }],
    }),
  });
  await response.arrayBuffer();
  return response.status;
}

test('without trusted proxies nobody gets another rate by what it says of itself', async () => {
  await using gateway = await startGateway({ files, grpc: true, config: ONCE_A_MINUTE });
  expect(await infer(gateway, '203.0.113.1')).toBe(200);
  expect(await infer(gateway, '203.0.113.2')).toBe(429);
  expect(await infer(gateway)).toBe(429);
  using client = new GrpcClient(gateway.server.bound.grpc ?? '');
  await expect(
    client.call('ModelInfer', inferRequest(), { 'x-forwarded-for': '203.0.113.3' }),
  ).rejects.toThrow('RESOURCE_EXHAUSTED');
});

test('behind two proxies the caller is who the outer one saw, whatever stands before it', async () => {
  await using gateway = await startGateway({
    files,
    grpc: true,
    config: `server: { trustProxy: 2 }\n${ONCE_A_MINUTE}`,
  });
  expect(await infer(gateway, '203.0.113.1, 10.0.0.1')).toBe(200);
  expect(await infer(gateway, '203.0.113.2, 10.0.0.1')).toBe(200);
  expect(await infer(gateway, '198.51.100.9, 203.0.113.1, 10.0.0.2')).toBe(429);
  using client = new GrpcClient(gateway.server.bound.grpc ?? '');
  const call = (forwardedFor: string) =>
    client.call('ModelInfer', inferRequest(), { 'x-forwarded-for': forwardedFor });
  await expect(call('203.0.113.2, 10.0.0.1')).rejects.toThrow('RESOURCE_EXHAUSTED');
  expect((await call('203.0.113.3, 10.0.0.1')).message).toMatchObject({ model_name: 'simple' });
});

describe('the address of a caller', () => {
  test.each([
    ['no proxies', undefined, 0, '10.9.9.9'],
    ['no proxies, and the header', '203.0.113.1', 0, '10.9.9.9'],
    ['one proxy', '203.0.113.1', 1, '203.0.113.1'],
    ['one proxy, and more than it wrote', '198.51.100.7, 203.0.113.1', 1, '203.0.113.1'],
    ['two proxies', '198.51.100.7, 203.0.113.1, 10.0.0.1', 2, '203.0.113.1'],
    ['fewer entries than proxies', '203.0.113.1', 3, '203.0.113.1'],
    ['a port', '203.0.113.1:55443', 1, '203.0.113.1'],
    ['IPv6', '2001:db8::1', 1, '2001:db8::1'],
    ['IPv6 with brackets and a port', '[2001:db8::1]:443', 1, '2001:db8::1'],
    ['what is no address', 'unknown', 1, '10.9.9.9'],
    ['a name that would be a key', '1.2.3.4\u0000', 1, '10.9.9.9'],
    ['nothing', '', 1, '10.9.9.9'],
  ])('%s', (_, forwardedFor, hops, expected) => {
    expect(clientAddress('10.9.9.9', forwardedFor, hops)).toBe(expected);
  });
});
