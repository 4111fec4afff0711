/** Little that becomes a lot: what a caller sends never decides how much memory or time it takes. */
import { createGzip, deflateSync, gzipSync } from 'node:zlib';
import { once } from 'node:events';
import { credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../gateway/config/load-config.ts';
import { pngThatClaims } from '../backends/image/pictures.ts';
import { GrpcClient, inferRequest } from '../gateway/faces/grpc/grpc-client.ts';
import { binaryBody } from '../gateway/faces/v2-gateway.ts';
import { startGateway } from '../gateway/running-gateway.ts';
import type { RunningGateway } from '../gateway/running-gateway.ts';
import { identityModel } from '../models/onnx-graph.ts';
import { identitiesModel } from '../models/small-models.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';

const LIMIT_BYTES = 1024 ** 2;

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway({
    grpc: true,
    config: 'server: { bodyLimit: 1MiB }\nlimits: { imagePixels: 1000000 }\n',
    files: {
      'models/simple/1/model.onnx': identityModel('FP32', ['batch', 4]),
      'models/whole/1/model.onnx': identityModel('INT64', ['batch', 1]),
      'models/picture/1/model.onnx': identitiesModel([
        { input: 'IMAGE', output: 'SCORES', datatype: 'FP32', shape: ['batch', 3, 8, 8] },
      ]),
      'models/picture/config.yaml': 'signalbox: { image: { resize: 8, crop: 8 } }\n',
    },
  });
});
afterAll(() => gateway[Symbol.asyncDispose]());

async function post(
  path: string,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly error: string }> {
  const response = await fetch(gateway.url(path), { method: 'POST', body, headers });
  const answer = (await response.json()) as { error?: string };
  return { status: response.status, error: answer.error ?? '' };
}

const INFER = '/v2/models/simple/infer';
const OK = { inputs: [{ name: 'INPUT', shape: [1, 4], datatype: 'FP32', data: [1, 2, 3, 4] }] };

/** After what was sent: it answers as before, and holds nothing of it. */
async function expectUnharmed(): Promise<void> {
  expect((await post(INFER, JSON.stringify(OK))).status).toBe(200);
  await expect.poll(() => gateway.server.gateway.door.bodies.usedBytes).toBe(0);
}

/** A quarter of a gibibyte of zeros, compressed: about a quarter of a mebibyte. */
async function gzipBomb(): Promise<Buffer> {
  const gzip = createGzip({ level: 1 });
  const chunks: Buffer[] = [];
  gzip.on('data', (chunk: Buffer) => chunks.push(chunk));
  const zeros = Buffer.alloc(16 * 1024 ** 2);
  for (let piece = 0; piece < 16; piece++) if (!gzip.write(zeros)) await once(gzip, 'drain');
  gzip.end();
  await once(gzip, 'end');
  return Buffer.concat(chunks);
}

describe('decompression', () => {
  test('stops at the limit for bodies, whatever was left', async () => {
    const bomb = (await gzipBomb()).subarray(0, LIMIT_BYTES - 1);
    const before = process.memoryUsage.rss();
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => post(INFER, bomb, { 'content-encoding': 'gzip' })),
    );
    for (const { status, error } of answers) {
      expect(status).toBe(400);
      expect(error).toContain(`more than ${LIMIT_BYTES} bytes; at most ${LIMIT_BYTES} are taken`);
    }
    expect(process.memoryUsage.rss() - before).toBeLessThan(512 * 1024 ** 2);
    await expectUnharmed();
  });

  test('is done once: a bomb in a bomb stays closed', async () => {
    const { status } = await post(INFER, gzipSync(gzipSync(Buffer.alloc(LIMIT_BYTES))), {
      'content-encoding': 'gzip, gzip',
    });
    expect(status).toBe(400);
  });

  test('of deflate alike', async () => {
    const { status } = await post(INFER, deflateSync(Buffer.alloc(64 * LIMIT_BYTES)), {
      'content-encoding': 'deflate',
    });
    expect(status).toBe(400);
    await expectUnharmed();
  });

  test('of a gRPC message stops at the limit too', async () => {
    using client = new GrpcClient(gateway.server.bound.grpc ?? '', credentials.createInsecure(), {
      'grpc.default_compression_algorithm': 2,
    });
    const raw = [Buffer.alloc(64 * LIMIT_BYTES)];
    await expect(client.call('ModelInfer', inferRequest({ raw_input_contents: raw }))).rejects.toThrow(
      'RESOURCE_EXHAUSTED',
    );
    expect((await client.call('ModelInfer', inferRequest())).message).toMatchObject({ model_name: 'simple' });
    await expectUnharmed();
  });
});

test('an image that says it is larger than it may be is not decoded', async () => {
  const { status, error } = await post('/predict/picture', pngThatClaims(60_000, 60_000));
  expect([status, error]).toEqual([413, expect.stringContaining('1000000')]);
  await expectUnharmed();
});

describe('JSON', () => {
  const DEPTH = 400_000;
  const deep = (inner: string, depth = DEPTH): string => '['.repeat(depth) + inner + ']'.repeat(depth);

  test.each([
    ['a tensor’s data', `{"inputs":[{"name":"INPUT","shape":[1,4],"datatype":"FP32","data":${deep('1')}}]}`],
    ['objects', `{"inputs":${'{"a":'.repeat(DEPTH / 5)}1${'}'.repeat(DEPTH / 5)}}`],
    ['what is not closed', `{"inputs":${'['.repeat(DEPTH)}`],
    ['a parameter', `{"parameters":${deep('')},"inputs":[]}`],
  ])('nested without end is refused as what it is: %s', async (_, body) => {
    const { status, error } = await post(INFER, body);
    expect(status).toBe(400);
    expect(error.length).toBeLessThan(500);
    await expectUnharmed();
  });

  test('beside a whole number whose digits are read once more, nesting is refused too', async () => {
    const input = { name: 'INPUT', shape: [1, 1], datatype: 'INT64', data: [2 ** 53] };
    const body = JSON.stringify({ inputs: [input] }).replace('{', `{"id":"a","b":${deep('')},`);
    const { status, error } = await post('/v2/models/whole/infer', body);
    expect([status, error]).toEqual([400, expect.stringContaining('nested')]);
    await expectUnharmed();
  });

  test('a whole number of a million digits is refused at once', async () => {
    const body = JSON.stringify({
      inputs: [{ name: 'INPUT', shape: [1, 1], datatype: 'INT64', data: [0] }],
    }).replace('[0]', `[${'9'.repeat(1_000_000)}]`);
    const { status } = await post('/v2/models/whole/infer', body);
    expect(status).toBe(400);
    await expectUnharmed();
  });

  test('more than may be sent is refused by its length, before it comes', async () => {
    const { status, error } = await post(INFER, 'a'.repeat(LIMIT_BYTES + 1));
    expect(status).toBe(400);
    expect(error).toContain(`at most ${LIMIT_BYTES} are taken`);
  });

  test.each([
    '/v2/repository/index',
    '/v2/repository/models/simple/unload',
    '/v2/trace/setting',
    '/v2/logging',
  ])('that holds next to nothing may not be as long as one of tensors: %s', async (path) => {
    const { status, error } = await post(path, `{"a":[${'{},'.repeat(30_000)}{}]}`);
    expect([status, error]).toEqual([400, expect.stringContaining('at most 65536 are taken')]);
    await expectUnharmed();
  });

  test.each(['/v1/outcomes', '/ofrep/v1/evaluate/flags', '/v2/repository/index'])(
    'nested without end is refused by %s',
    async (path) => {
      const nested = deep('', DEPTH / 4);
      const { status } = await post(path, `{"context":${nested.slice(0, 200_000)}`);
      expect(status).toBe(400);
      expect((await post(path, nested)).status).toBeLessThan(500);
      await expectUnharmed();
    },
  );
});

describe('a great many small things', () => {
  const head = { name: 'INPUT', datatype: 'BYTES', shape: [1, 255_000] };
  const input = { name: 'INPUT', datatype: 'FP32', shape: [], data: [1] };
  const strings = (shape: readonly number[]) =>
    binaryBody({ inputs: [{ ...head, shape, parameters: { binary_data_size: 1_020_000 } }] }, [
      Buffer.alloc(1_020_000),
    ]);
  const plain = (body: object) => ({ body: JSON.stringify(body), headers: {} });
  const nested = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth));

  test.each([
    ['strings', strings([1, 255_000]), '250000 elements of BYTES tensors'],
    ['strings, though the shape has few', strings([1, 7]), 'has more than 7 elements'],
    [
      'strings in JSON',
      plain({ inputs: [{ ...head, data: Array(255_000).fill('') }] }),
      '250000 elements of',
    ],
    ['inputs', plain({ inputs: Array(10_001).fill(input) }), '10000 inputs'],
    ['outputs', plain({ ...OK, outputs: Array(10_001).fill({ name: 'OUTPUT' }) }), '10000 outputs'],
    ['parameters', plain({ ...OK, parameters: { a: Array(10_001).fill(0) } }), '10000 values among its'],
    [
      'parameters of inputs',
      plain({
        inputs: Array(101).fill({ ...input, parameters: Object.fromEntries(Array(100).fill(1).entries()) }),
      }),
      '10000 values among its',
    ],
    [
      'parameters in each other',
      plain({ ...OK, parameters: { a: nested(101) } }),
      'nested more than 100 deep',
    ],
  ])('is refused before it is made on the main thread: %s', async (_, { body, headers }, message) => {
    const { status, error } = await post(INFER, body, headers);
    expect([status, error]).toEqual([400, expect.stringContaining(message)]);
    await expectUnharmed();
  });

  test('is refused over gRPC too', async () => {
    using client = new GrpcClient(gateway.server.bound.grpc ?? '');
    const many = Array(10_001).fill(0);
    const parameters = Object.fromEntries(many.map((_, index) => [`p${index}`, { int64_param: 1 }]));
    for (const [fields, message] of [
      [{ parameters }, '10000 values among its parameters'],
      [{ inputs: many.map(() => ({ name: 'INPUT', datatype: 'FP32', shape: [1, 4] })) }, '10000 inputs'],
      [{ outputs: many.map((_, index) => ({ name: `o${index}` })) }, '10000 outputs'],
      [{ inputs: [{ name: 'INPUT', datatype: 'FP32', shape: many }] }, 'more than 32 dimensions'],
      [
        {
          inputs: [{ name: 'INPUT', datatype: 'BYTES', shape: [255_000] }],
          raw_input_contents: [Buffer.alloc(1_020_000)],
        },
        '250000 elements of BYTES tensors',
      ],
    ] as const) {
      await expect(client.call('ModelInfer', inferRequest(fields))).rejects.toThrow(message);
    }
    await expectUnharmed();
  });
});

test('blanks before JSON are not looked through without an end', async () => {
  const body = `${' '.repeat(5000)}${JSON.stringify(OK)}`;
  const response = await fetch(gateway.url('/predictions/picture'), { method: 'POST', body });
  const { message } = (await response.json()) as { message: string };
  expect([response.status, message]).toEqual([400, expect.stringContaining('not an image')]);
  await expectUnharmed();
});

test('a form of a great many parts is refused', async () => {
  const part = '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\na\r\n';
  const { status } = await post('/predict/picture', `${part.repeat(5000)}--b--\r\n`, {
    'content-type': 'multipart/form-data; boundary=b',
  });
  expect(status).toBeGreaterThanOrEqual(400);
  expect(status).toBeLessThan(500);
  await expectUnharmed();
});

describe('an alias bomb of YAML (a billion laughs)', () => {
  const laughs = Array.from(
    { length: 12 },
    (_, level) =>
      `l${level}: &l${level} [${Array<string>(9)
        .fill(level === 0 ? 'ha' : `*l${level - 1}`)
        .join(', ')}]`,
  ).join('\n');

  test('as the configuration is refused', async () => {
    await using folder = await temporaryFolder({
      'signalbox.yaml': `listen: { http: 127.0.0.1:0 }\nmodels: { repository: . }\n${laughs}\n`,
    });
    await expect(loadConfig(`${folder.path}/signalbox.yaml`, {})).rejects.toThrow('resource exhaustion');
  });

  test('as an experiment and as a model’s configuration leaves what is served as it is', async () => {
    const { server, folder } = gateway;
    await folder.write({
      'experiments/laughs.yaml': laughs,
      'models/laughs/config.yaml': laughs,
      'models/laughs/1/model.onnx': identityModel('FP32', ['batch', 4]),
    });
    await expect
      .poll(() => gateway.log.filter((line) => line.includes('resource exhaustion')).length)
      .toBeGreaterThanOrEqual(1);
    expect((await fetch(gateway.url('/v2/models/laughs/infer'), { method: 'POST', body: '{}' })).status).toBe(
      503,
    );
    expect(server.gateway.readiness.isReady).toBe(true);
    await expectUnharmed();
  });
});
