import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { INPUT, V2Gateway, binaryBody, errorOf, splitAnswer } from './v2-gateway.ts';

let gateway: V2Gateway;
beforeAll(async () => {
  gateway = await V2Gateway.start();
});
afterAll(() => gateway[Symbol.asyncDispose]());

describe('classification', () => {
  const ask = async (model: string, input: object, classification: number, parameters = {}) => {
    const outputs = [{ name: 'OUTPUT', parameters: { classification, ...parameters } }];
    return gateway.post(`/v2/models/${model}/infer`, { inputs: [input], outputs });
  };

  test('the highest elements of each row, with their labels where there are some', async () => {
    const data = [0.5, -1, 7, 2, 3, 3, 1, 9];
    const response = await ask('labelled', { ...INPUT, shape: [2, 4], data }, 2);
    const { outputs } = (await response.json()) as { outputs: unknown };
    expect(outputs).toEqual([
      {
        name: 'OUTPUT',
        datatype: 'BYTES',
        shape: [2, 2],
        data: ['7.000000:2:cat', '2.000000:3', '9.000000:3', '3.000000:0:ant'],
      },
    ]);
  });

  test('each output has the labels that its own label_filename says, and none where it has no such', async () => {
    const names = ['SPECIES', 'COLOUR', 'SIZE'];
    const response = await gateway.post('/v2/models/heads/infer', {
      inputs: names.map((name) => ({ ...INPUT, name: `${name}_IN`, shape: [1, 2], data: [1, 2] })),
      outputs: names.map((name) => ({ name, parameters: { classification: 1 } })),
    });
    expect(await response.json()).toMatchObject({
      outputs: [{ data: ['2.000000:1:dog'] }, { data: ['2.000000:1:blue'] }, { data: ['2.000000:1'] }],
    });
    const config = (await (await gateway.get('/v2/models/heads/config')).json()) as {
      output: { name: string; label_filename: string }[];
    };
    expect(
      Object.fromEntries(config.output.map(({ name, label_filename }) => [name, label_filename])),
    ).toEqual({ SPECIES: 'species.txt', COLOUR: 'colours.txt', SIZE: '' });
  });

  test('more classes than there are gives all of them', async () => {
    const response = await ask('labelled', INPUT, 100);
    expect(await response.json()).toMatchObject({
      outputs: [
        { shape: [1, 4], data: ['2.500000:1:bee', '1.000000:0:ant', '0.004000:3', '-3.000000:2:cat'] },
      ],
    });
  });

  test('many classes are picked in the same order as few', async () => {
    const data = Array.from({ length: 100_000 }, (_, index) => (index * 7919) % 1009);
    const response = await ask('wide', { ...INPUT, shape: [1, 100_000], data }, 300);
    const few = await ask('wide', { ...INPUT, shape: [1, 100_000], data }, 30);
    interface Answer {
      outputs: { data: string[] }[];
    }
    const many = ((await response.json()) as Answer).outputs[0]?.data;
    expect(many).toHaveLength(300);
    expect(many?.slice(0, 30)).toEqual(((await few.json()) as Answer).outputs[0]?.data);
    expect(many?.[0]).toBe(`1008.000000:${data.indexOf(1008)}`);
  });

  test('of a model that doesn’t batch, the highest of the whole output; halves by their numbers', async () => {
    const input = { name: 'INPUT', shape: [3, 1], datatype: 'FP16', data: [-2, 1, -8] };
    expect(await (await ask('unbatched', input, 2)).json()).toMatchObject({
      outputs: [{ shape: [2], data: ['1.000000:1', '-2.000000:0'] }],
    });
  });

  test('whole numbers are written as such, and classes go as binary data too', async () => {
    const input = { name: 'INPUT', shape: [1, 2], datatype: 'INT64', data: [-5, 12] };
    const { json, binary } = await splitAnswer(await ask('integers', input, 1, { binary_data: true }));
    expect(json).toMatchObject({ outputs: [{ datatype: 'BYTES', shape: [1, 1] }] });
    expect(binary.toString('latin1')).toBe('\u0004\0\0\u000012:1');
  });

  test('strings have no order', async () => {
    const input = { name: 'INPUT', shape: [1, 2], datatype: 'BYTES', data: ['a', 'b'] };
    const response = await ask('text', input, 1);
    expect(response.status).toBe(400);
    expect(await errorOf(response)).toContain("due to unsupported type 'BYTES'");
  });
});

describe('raw binary requests', () => {
  const raw = (model: string, body: Uint8Array) =>
    gateway.post(`/v2/models/${model}/infer`, body, { 'inference-header-content-length': '0' });

  test('the body is the only input, in one row, and the answer is binary', async () => {
    const floats = Float32Array.of(1, Number.NaN, 3, 4);
    const { json, binary } = await splitAnswer(await raw('simple', new Uint8Array(floats.buffer)));
    expect(json).toMatchObject({ outputs: [{ shape: [1, 4], parameters: { binary_data_size: 16 } }] });
    expect(new Uint8Array(binary)).toEqual(new Uint8Array(floats.buffer));
  });

  test('a dimension of any size is told from the number of bytes', async () => {
    const { json } = await splitAnswer(await raw('unbatched', new Uint8Array(3 * 5 * 2)));
    expect(json).toMatchObject({ outputs: [{ shape: [3, 5], datatype: 'FP16' }] });
  });

  test.each([
    ['simple', 15, "the raw input 'INPUT' of model 'simple' has 15 bytes; expected 16"],
    ['unbatched', 7, 'has 7 bytes; expected a multiple of 6'],
    ['text', 4, 'takes 2 strings; a raw body is one'],
  ])('%s with %i bytes is refused', async (model, bytes, message) => {
    const response = await raw(model, new Uint8Array(bytes));
    expect(response.status).toBe(400);
    expect(await errorOf(response)).toContain(message);
  });
});

test('a timeout and a priority may have all of their 64 bits, as clients say that they want no limit', async () => {
  const parameters = '"parameters":{"timeout":9223372036854775807,"priority":18446744073709551615}';
  const body = `{"inputs":[${JSON.stringify(INPUT)}],${parameters}}`;
  expect((await gateway.post('/v2/models/simple/infer', body)).status).toBe(200);
});

test('an id, parameters of the caller’s own, a priority and a timeout are taken with a request', async () => {
  const parameters = { 'my-own': 42, priority: 1, timeout: 5_000_000, binary_data_output: false };
  const response = await gateway.post('/v2/models/simple/infer?trace=1', {
    id: 'r-7',
    parameters,
    inputs: [{ ...INPUT, parameters: { note: 'x' } }],
    outputs: [{ name: 'OUTPUT', parameters: { note: 'y' } }],
  });
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({ id: 'r-7', outputs: [{ shape: [1, 4] }] });
});

describe('statistics', () => {
  interface Stats {
    name: string;
    version: string;
    last_inference: number;
    inference_count: number;
    execution_count: number;
    inference_stats: Record<string, { count: number; ns: number }>;
    batch_stats: { batch_size: number; compute_infer: { count: number; ns: number } }[];
  }
  const statsOf = async (path: string): Promise<readonly Stats[]> =>
    ((await (await gateway.get(path)).json()) as { model_stats: Stats[] }).model_stats;

  test('count every row, run and failure, right to the batch', async () => {
    const input = (rows: number) => ({
      inputs: [{ name: 'INPUT', shape: [rows, 2], datatype: 'INT64', data: Array(rows * 2).fill(1) }],
    });
    const before = Date.now();
    const [zero] = await statsOf('/v2/models/integers/versions/1/stats');
    const rowsOf = [1, 1, 3, 5, 1, 2, 2, 8, 1, 1];
    await Promise.all(rowsOf.map((rows) => gateway.post('/v2/models/integers/infer', input(rows))));
    await gateway.post('/v2/models/integers/infer', input(0));
    const [stats] = await statsOf('/v2/models/integers/stats');
    if (zero === undefined || stats === undefined) throw new Error('no statistics');
    const sent = rowsOf.reduce((sum, rows) => sum + rows, 0);
    expect(stats.inference_count - zero.inference_count).toBe(sent);
    const runs = stats.batch_stats.reduce((sum, { compute_infer }) => sum + compute_infer.count, 0);
    expect(stats.execution_count).toBe(runs);
    expect(
      stats.batch_stats.reduce(
        (sum, { batch_size, compute_infer }) => sum + batch_size * compute_infer.count,
        0,
      ),
    ).toBe(stats.inference_count);
    const { success, fail, queue, compute_infer, compute_input } = stats.inference_stats;
    expect((success?.count ?? 0) - (zero.inference_stats.success?.count ?? 0)).toBe(rowsOf.length);
    expect([queue?.count, compute_infer?.count, compute_input?.count]).toEqual([
      success?.count,
      success?.count,
      success?.count,
    ]);
    // What doesn't fit the model never gets to it.
    expect(fail).toEqual({ count: 0, ns: 0 });
    expect(success?.ns).toBeGreaterThan(compute_infer?.ns ?? Infinity);
    expect(stats.last_inference).toBeGreaterThanOrEqual(before);
  });

  test('one request alone is one run of its rows', async () => {
    const data = Array(12).fill(0.5);
    await gateway.post('/v2/models/log/infer', { inputs: [{ ...INPUT, shape: [12, 1], data }] });
    const [stats] = await statsOf('/v2/models/log/stats');
    expect(stats).toMatchObject({
      inference_count: 12,
      execution_count: 1,
      batch_stats: [{ batch_size: 12, compute_infer: { count: 1 } }],
    });
  });

  test('are there for all models, one, or a version of one', async () => {
    const names = (stats: readonly Stats[]) => stats.map(({ name, version }) => `${name}/${version}`);
    expect(names(await statsOf('/v2/models/stats'))).toContain('wide/1');
    expect(names(await statsOf('/v2/models/simple/stats'))).toEqual(['simple/1', 'simple/2']);
    expect(names(await statsOf('/v2/models/simple/versions/2/stats'))).toEqual(['simple/2']);
    expect((await gateway.get('/v2/models/nobody/stats')).status).toBe(404);
  });
});

test('a model’s configuration is Triton’s, with what the graph filled in', async () => {
  expect(await (await gateway.get('/v2/models/labelled/config')).json()).toMatchObject({
    name: 'labelled',
    platform: 'onnxruntime_onnx',
    max_batch_size: 8,
    input: [{ name: 'INPUT', data_type: 'TYPE_FP32', dims: [4] }],
    output: [{ name: 'OUTPUT', data_type: 'TYPE_FP32', dims: [4], label_filename: 'labels.txt' }],
    dynamic_batching: { preferred_batch_size: [4], max_queue_delay_microseconds: 500 },
    instance_group: [{ kind: 'KIND_AUTO', count: 1 }],
  });
  expect(await (await gateway.get('/v2/models/unbatched/versions/1/config')).json()).toMatchObject({
    max_batch_size: 0,
    input: [{ data_type: 'TYPE_FP16', dims: [3, -1] }],
  });
});

describe('gzip and deflate', () => {
  const json = Buffer.from(JSON.stringify({ inputs: [INPUT] }));

  test.each(['gzip', 'deflate'] as const)(
    '%s bodies are read, and the header tells of the bytes before',
    async (coding) => {
      const compressed = new Uint8Array(
        await new Response(
          new Blob([json]).stream().pipeThrough(new CompressionStream(coding)),
        ).arrayBuffer(),
      );
      const response = await gateway.post('/v2/models/simple/infer', compressed, {
        'content-encoding': coding,
      });
      expect(await response.json()).toMatchObject({ outputs: [{ shape: [1, 4] }] });

      const binary = binaryBody(
        {
          inputs: [{ name: 'INPUT', shape: [1, 4], datatype: 'FP32', parameters: { binary_data_size: 16 } }],
        },
        [new Uint8Array(16)],
      );
      const packed = new Uint8Array(
        await new Response(
          new Blob([new Uint8Array(binary.body)]).stream().pipeThrough(new CompressionStream(coding)),
        ).arrayBuffer(),
      );
      const answer = await gateway.post('/v2/models/simple/infer', packed, {
        ...binary.headers,
        'content-encoding': coding,
      });
      expect(await answer.json()).toMatchObject({ outputs: [{ data: [0, 0, 0, 0] }] });
    },
  );

  test.each([
    ['gzip', 'gzip'],
    ['deflate', 'deflate'],
    ['deflate;q=0.5, gzip;q=0.9', 'gzip'],
    ['gzip;q=0', null],
    ['identity', null],
    ['gzip;q=0.5, identity', null],
    ['identity;q=0.5, gzip', 'gzip'],
    ['br', null],
  ])('Accept-Encoding "%s" is answered with %s', async (accepted, coding) => {
    const data = Array.from({ length: 128 }, (_, index) => index / 7);
    const inputs = [{ ...INPUT, shape: [32, 4], data }];
    const response = await gateway.post(
      '/v2/models/simple/infer',
      { inputs },
      { 'accept-encoding': accepted },
    );
    expect(response.headers.get('content-encoding')).toBe(coding);
    expect(await response.json()).toMatchObject({ outputs: [{ data: data.map(Math.fround) }] });
  });

  test('an answer so small that it would gain nothing goes as it is', async () => {
    const response = await gateway.post('/v2/models/simple/infer', json, { 'accept-encoding': 'gzip' });
    expect(response.headers.get('content-encoding')).toBeNull();
  });

  test('what would inflate beyond the limit is refused before it has', async () => {
    const zeros = new Uint8Array(64 * 1024 * 1024);
    const bomb = new Uint8Array(
      await new Response(new Blob([zeros]).stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer(),
    );
    expect(bomb.length).toBeLessThan(100_000);
    const response = await gateway.post('/v2/models/simple/infer', bomb, { 'content-encoding': 'gzip' });
    expect(response.status).toBe(400);
    expect(await errorOf(response)).toContain('more than 8388608 bytes');
  });

  test.each([
    ['gzip', 'not gzip at all', 'the body is not what its Content-Encoding says'],
    ['br', 'x', "unsupported Content-Encoding 'br'"],
  ])('Content-Encoding %s of "%s" is a 400', async (coding, body, message) => {
    const response = await gateway.post('/v2/models/simple/infer', body, { 'content-encoding': coding });
    expect(response.status).toBe(400);
    expect(await errorOf(response)).toContain(message);
    expect((await gateway.post('/v2/models/simple/infer', json)).status).toBe(200);
  });
});
