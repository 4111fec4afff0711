import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { READ_HEADERS } from '../../gateway/trust/ambiguous-headers.ts';
import { ROOT } from '../e2e/cli.ts';
import { GrpcClient, inferRequest } from '../gateway/faces/grpc/grpc-client.ts';
import { experimentFile, startGateway } from '../gateway/running-gateway.ts';
import type { RunningGateway } from '../gateway/running-gateway.ts';
import { identityModel } from '../models/onnx-graph.ts';
import { send } from './raw-socket.ts';

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway({
    grpc: true,
    files: {
      'models/simple/1/model.onnx': identityModel('FP32', ['batch', 4]),
      'models/simple/2/model.onnx': identityModel('FP32', ['batch', 4]),
      'experiments/simple.yaml': experimentFile({
        model: 'simple',
        hashAttribute: 'x-patient',
        match: [{ headers: { 'x-ward': 'b2' } }],
      }),
    },
  });
});
afterAll(() => gateway[Symbol.asyncDispose]());

const BODY = JSON.stringify({
  inputs: [{ name: 'INPUT', shape: [1, 4], datatype: 'FP32', data: [1, 2, 3, 4] }],
});

function infer(...lines: readonly string[]) {
  const head = [
    'POST /v2/models/simple/infer HTTP/1.1',
    `Content-Length: ${BODY.length}`,
    'Connection: close',
  ];
  const host = lines.some((line) => /^host:/i.test(line)) ? [] : ['Host: a'];
  return send(gateway.server.bound.http ?? '', [...head, ...host, ...lines, '', BODY].join('\r\n'));
}

describe('a header that means something stands once', () => {
  test.each([
    ['Host', 'a'],
    ['Content-Type', 'application/json'],
    ['Content-Encoding', 'identity'],
    ['Inference-Header-Content-Length', String(BODY.length)],
    ['Authorization', 'Bearer a'],
    ['X-API-Key', 'a'],
    ['X-Experiment', 'v2'],
    ['X-Request-Id', 'a'],
    ['Traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
    ['Cookie', 'a=b'],
    ['X-Patient', 'ada'],
    ['x-ward', 'b2'],
  ])('%s', async (name, value) => {
    expect((await infer(`${name}: ${value}`)).statuses).toEqual([200]);
    const { statuses, text } = await infer(`${name}: ${value}`, `${name.toUpperCase()}: ${value}`);
    expect(statuses).toEqual([400]);
    expect(text).toContain(`the header ${name.toLowerCase()} was sent twice`);
  });

  test('lists, and headers that mean nothing here, may come in several lines', async () => {
    const lists = ['Accept-Encoding', 'X-Forwarded-For', 'Tracestate', 'X-Anything'];
    const { statuses } = await infer(...lists.flatMap((name) => [`${name}: a`, `${name}: b`]));
    expect(statuses).toEqual([200]);
  });
});

describe('a header that means something is spelled with hyphens', () => {
  test.each(['X_Experiment', 'X_API_Key', 'Content_Length', 'X_Patient', 'x_ward', 'X-Forwarded_For'])(
    '%s',
    async (name) => {
      const { statuses, text } = await infer(`${name}: 1`);
      expect(statuses).toEqual([400]);
      expect(text).toContain(`could be taken for ${name.toLowerCase().replaceAll('_', '-')}`);
    },
  );

  test('what means nothing may be spelled as it likes', async () => {
    expect((await infer('X_Anything: 1')).statuses).toEqual([200]);
  });

  test('over gRPC too', async () => {
    using client = new GrpcClient(gateway.server.bound.grpc ?? '');
    await expect(client.call('ModelInfer', inferRequest(), { x_experiment: 'v2' })).rejects.toThrow(
      "INVALID_ARGUMENT: the header 'x_experiment' could be taken for x-experiment",
    );
    await expect(client.call('ServerMetadata', {}, { x_patient: 'ada' })).rejects.toThrow('x-patient');
    expect((await client.call('ModelInfer', inferRequest(), { x_anything: '1' })).message).toMatchObject({
      model_name: 'simple',
    });
  });
});

test('every header that the code reads is one of those that are looked at', async () => {
  const files = (await readdir(join(ROOT, 'gateway'), { recursive: true })).filter(
    (file) => file.endsWith('.ts') && !/^(cli|upstream)\//.test(file),
  );
  const read = new Set<string>();
  for (const file of files) {
    const text = await readFile(join(ROOT, 'gateway', file), 'utf8');
    // What a request brings is read as header('…') and headers['…'], and taken apart as { '…': name } = headers.
    const reads =
      /(?<!(?:reply|answer|response|raw)\.)\bheader\('([a-z-]+)'\)|\bheaders(?:\['([a-z-]+)'\]|\.([a-z]+)\b(?!\())|'([a-z-]+)': \w+ \} = /g;
    for (const [, ...names] of text.matchAll(reads) as Iterable<readonly (string | undefined)[]>)
      for (const name of names) if (name !== undefined) read.add(name);
  }
  expect(read.size).toBeGreaterThan(10);
  expect([...read].filter((name) => !READ_HEADERS.has(name) && !NOT_OF_REQUESTS.has(name))).toEqual([]);
});

/** Words that the search finds and that are no request's headers: what has a length, a file's name, an answer's header. */
const NOT_OF_REQUESTS = new Set(['length', 'ts', 'retry-after']);
