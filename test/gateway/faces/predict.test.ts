import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pngThatClaims } from '../../backends/image/pictures.ts';
import { encodeModel, identityModel } from '../../models/onnx-graph.ts';
import { askOfEach } from '../few-callers.ts';
import { DEMO_FOLDER, experimentFile, startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';

interface Classes {
  predictions: { class_id: number; label: string; confidence: number }[];
}

let gateway: RunningGateway;
let scan: Uint8Array;

beforeAll(async () => {
  gateway = await startGateway({
    repository: join(DEMO_FOLDER, 'models'),
    config: 'server: { bodyLimit: 2MiB }',
    files: { 'experiments/digits.yaml': experimentFile() },
  });
  scan = await readFile(join(DEMO_FOLDER, 'images/0001.png'));
});
afterAll(() => gateway[Symbol.asyncDispose]());

function predict(
  body: Uint8Array | FormData,
  path = '/predict',
  headers: Readonly<Record<string, string>> = {},
) {
  return fetch(gateway.url(path), { method: 'POST', body: body as Uint8Array<ArrayBuffer>, headers });
}

function form(files: readonly Uint8Array[], field = 'file'): FormData {
  const data = new FormData();
  for (const file of files) data.append(field, new Blob([file]), 'scan.png');
  return data;
}

describe('the demo’s models', () => {
  test.each(['v1', 'v2'])('%s has through the gateway the accuracy that its card states', async (variant) => {
    const card = JSON.parse(await readFile(join(DEMO_FOLDER, 'models/digits/card.json'), 'utf8')) as {
      versions: Record<string, { held_out: { correct: number; total: number } }>;
    };
    const labels = JSON.parse(await readFile(join(DEMO_FOLDER, 'images/labels.json'), 'utf8')) as Record<
      string,
      number
    >;
    const right = await askOfEach(Object.entries(labels), async ([file, digit]) => {
      const image = await readFile(join(DEMO_FOLDER, 'images', file));
      const response = await predict(image, '/predict', { 'x-experiment': variant });
      expect(response.headers.get('x-experiment')).toBe(`digits-cnn=${variant}`);
      const { predictions } = (await response.json()) as Classes;
      return predictions[0]?.class_id === digit;
    });
    const stated = card.versions[variant.slice(1)]?.held_out;
    expect({ correct: right.filter(Boolean).length, total: right.length }).toEqual({
      correct: stated?.correct,
      total: stated?.total,
    });
  });
});

describe('POST /predict', () => {
  test('answers with the contract’s fields, best class first', async () => {
    const response = await predict(form([scan]), '/predict/digits', { 'x-experiment': 'v2' });
    expect(response.status).toBe(200);
    expect(response.headers.get('x-experiment-reason')).toBe('override');
    const answer = (await response.json()) as Classes & { inference_time_ms: number };
    expect(answer).toEqual({
      success: true,
      experiment: 'digits-cnn',
      variant: 'v2',
      model: 'digits',
      version: '2',
      predictions: answer.predictions,
      inference_time_ms: answer.inference_time_ms,
    });
    expect(answer.predictions.map(({ label }) => label)[0]).toBe('zero');
    expect(answer.predictions).toHaveLength(3);
    const confidences = answer.predictions.map(({ confidence }) => confidence);
    expect(confidences).toEqual(confidences.toSorted((a, b) => b - a));
    expect(answer.inference_time_ms).toBeGreaterThan(0);
  });

  test('a raw body and a multipart file give the same answer', async () => {
    const [raw, multipart] = await Promise.all(
      [scan, form([scan])].map(async (body) =>
        (await predict(body, '/predict', { 'x-experiment': 'v1' })).json(),
      ),
    );
    expect((raw as Classes).predictions).toEqual((multipart as Classes).predictions);
  });

  test('several files are answered in their order', async () => {
    const other = await readFile(join(DEMO_FOLDER, 'images/0003.png'));
    const alone = await Promise.all(
      [scan, other].map(
        async (file) =>
          ((await (await predict(file, '/predict', { 'x-experiment': 'v1' })).json()) as Classes)
            .predictions[0]?.label,
      ),
    );
    const together = (await (
      await predict(form([scan, other, scan]), '/predict', { 'x-experiment': 'v1' })
    ).json()) as {
      results: Classes[];
    };
    expect(together.results.map(({ predictions }) => predictions[0]?.label)).toEqual([
      alone[0],
      alone[1],
      alone[0],
    ]);
  });

  const ZERO = { predictions: [{ label: 'zero' }, {}, {}] };
  test.each([
    ['without a name, whose type says that it is an image', 'content-type: image/png', undefined, ZERO],
    ['in a compressed form', 'content-type: image/png', 'gzip', ZERO],
    [
      'in a form of another coding',
      'content-type: image/png',
      'br',
      { error: "unsupported Content-Encoding 'br'; expected gzip, deflate or none" },
    ],
    [
      'that nothing says is one',
      'x-other: 1',
      undefined,
      { error: 'the multipart body has no file; expected one in the field "file"' },
    ],
  ])('a file %s', async (_, head, coding, expected) => {
    const parts = Buffer.concat([
      Buffer.from(`--b\r\ncontent-disposition: form-data; name="file"\r\n${head}\r\n\r\n`),
      scan,
      Buffer.from('\r\n--b--\r\n'),
    ]);
    const response = await predict(coding === 'gzip' ? gzipSync(parts) : parts, '/predict', {
      'content-type': 'multipart/form-data; boundary=b',
      ...(coding !== undefined && { 'content-encoding': coding }),
    });
    expect(await response.json()).toMatchObject(expected);
  });

  test('a compressed form has no more files than another', async () => {
    const file = '--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\na\r\n';
    const response = await predict(gzipSync(`${file.repeat(257)}--b--\r\n`), '/predict', {
      'content-type': 'multipart/form-data; boundary=b',
      'content-encoding': 'gzip',
    });
    expect(response.status).toBe(413);
    expect(await response.json()).toEqual({
      error: 'the form has more than 256 files; send them in several requests',
    });
  });

  test('JPEG and WebP are read too, and a large colour photograph is resized', async () => {
    const photo = sharp({ create: { width: 640, height: 480, channels: 3, background: '#336699' } });
    for (const format of ['jpeg', 'webp'] as const) {
      expect((await predict(await photo.clone().toFormat(format).toBuffer())).status).toBe(200);
    }
  });

  test.each<[string, () => Promise<Uint8Array | FormData> | Uint8Array | FormData, number, string]>([
    ['an empty body', () => new Uint8Array(), 400, 'the image is empty'],
    ['an empty file', () => form([new Uint8Array()]), 400, 'the image is empty'],
    [
      'a text file',
      () => Buffer.from('hello, I am not an image'),
      400,
      'the upload is not an image that can be read (jpeg, png, webp)',
    ],
    ['a damaged image', () => scan.subarray(0, scan.length - 20), 400, 'the image is damaged'],
    [
      'an SVG',
      () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
      400,
      'images of format svg are not read',
    ],
    [
      'a wrong field',
      () => form([scan], 'image'),
      400,
      'the multipart field is named "image"; expected "file"',
    ],
    ['no file in the form', () => form([]), 400, 'multipart'],
    [
      '20,000 x 20,000 pixels',
      () => pngThatClaims(20_000, 20_000),
      413,
      'the image has 20000x20000 pixels; at most 64000000 are decoded',
    ],
    ['a body over the limit', () => new Uint8Array(2_200_000), 413, 'at most 2097152'],
    [
      'more files than are read',
      () => form(Array<Uint8Array>(257).fill(scan.subarray(0, 1))),
      413,
      'the form has more than 256 files; send them in several requests',
    ],
    ['a file over the limit', () => form([new Uint8Array(2_200_000)]), 413, 'at most 2097152'],
    [
      'a form over the limit for what is no file of it',
      () => {
        const padded = form([scan]);
        padded.append('note', 'a'.repeat(2_200_000));
        return padded;
      },
      413,
      'at most 2097152',
    ],
  ])('%s is refused, and the next call is answered', async (_, make, status, message) => {
    const response = await predict(await make());
    const body = (await response.json()) as { error: string };
    expect(body.error).toContain(message);
    expect(response.status).toBe(status);
    expect((await predict(scan)).status).toBe(200);
  });

  test('an unknown model is a 404 on an upload too', async () => {
    const response = await predict(form([scan]), '/predict/faces');
    expect(response.status).toBe(404);
    expect(await response.json()).toEqual({ error: "Request for unknown model: 'faces' is not found" });
  });
});

describe('a model gets images in the type of its input', () => {
  const shape = ['batch', 3, 2, 2] as const;
  const image = (keys: object): string =>
    JSON.stringify({ signalbox: { image: { resize: [2, 2], topK: 12, ...keys } } });
  let typed: RunningGateway;
  beforeAll(async () => {
    const raw = image({ scale: 1, activation: 'none' });
    typed = await startGateway({
      files: {
        'models/uint8/1/model.onnx': identityModel('UINT8', shape),
        'models/uint8/config.yaml': raw,
        'models/fp16/1/model.onnx': identityModel('FP16', shape),
        'models/fp16/config.yaml': raw,
      },
    });
  });
  afterAll(() => typed[Symbol.asyncDispose]());

  async function predictTyped(model: string): Promise<{ status: number; body: Classes & { error: string } }> {
    const colours = Uint8Array.from({ length: 12 }, (_, at) => at * 20);
    const file = await sharp(colours, { raw: { width: 2, height: 2, channels: 3 } })
      .png()
      .toBuffer();
    const response = await fetch(typed.url(`/predict/${model}`), {
      method: 'POST',
      body: file as Uint8Array<ArrayBuffer>,
    });
    return { status: response.status, body: (await response.json()) as Classes & { error: string } };
  }

  test.each(['uint8', 'fp16'])('%s', async (model) => {
    const { predictions } = (await predictTyped(model)).body;
    const values = predictions
      .toSorted((a, b) => a.class_id - b.class_id)
      .map(({ confidence }) => confidence);
    // Red, green and blue planes of pixels that count up by 20.
    expect(values).toEqual([0, 60, 120, 180, 20, 80, 140, 200, 40, 100, 160, 220]);
  });
});

test('a preprocessing that no image could fit with is refused when the model is loaded, and says what would be right', async () => {
  const fixed = ['batch', 3, 16, 16] as const;
  const image = (keys: object): string => JSON.stringify({ signalbox: { image: keys } });
  await using misfits = await startGateway({
    files: {
      'models/resized/1/model.onnx': identityModel('FP32', fixed),
      'models/resized/config.yaml': image({ resize: [9, 9] }),
      'models/planar/1/model.onnx': identityModel('FP32', ['batch', 16, 16, 3]),
      'models/planar/config.yaml': image({ resize: [16, 16] }),
      'models/scaled/1/model.onnx': identityModel('UINT8', fixed),
      'models/scaled/config.yaml': image({ resize: [16, 16] }),
      'models/int64/1/model.onnx': identityModel('INT64', fixed),
      'models/int64/config.yaml': image({ resize: [16, 16] }),
      'models/flat/1/model.onnx': identityModel('FP32', ['batch', 4]),
      'models/flat/config.yaml': image({ resize: [2, 2] }),
      'models/free/1/model.onnx': identityModel('FP32', ['batch', 3, 'height', 'width']),
      'models/free/config.yaml': image({ resize: 9 }),
    },
  });
  const index = await fetch(misfits.url('/v2/repository/index'), { method: 'POST' });
  const lines = (await index.json()) as readonly { name: string; state: string; reason: string }[];
  const of = (name: string) => lines.find((line) => line.name === name);
  expect(of('resized')?.reason).toContain(
    "an image becomes a tensor of the shape [3,9,9] (layout nchw, color rgb), but input 'INPUT' is [-1,3,16,16]; " +
      'set signalbox.image.resize, crop, layout or color',
  );
  expect(of('planar')?.reason).toContain('of the shape [3,16,16] (layout nchw, color rgb)');
  expect(of('scaled')?.reason).toContain('set signalbox.image.scale to 1');
  expect(of('int64')?.reason).toContain("input 'INPUT' is of type INT64; images become FP32, FP16 or UINT8");
  expect(of('flat')?.reason).toContain("but input 'INPUT' is [-1,4]");
  expect(of('free')?.state).toBe('READY');
});

test('the whole output of a model without a batch dimension is one image, and one that has no row for each image is none', async () => {
  await using unbatched = await startGateway({
    files: {
      'models/flat/1/model.onnx': encodeModel({
        inputs: [{ name: 'x', datatype: 'FP32', shape: [3, 2, 2] }],
        outputs: [{ name: 'scores', datatype: 'FP32', shape: [12] }],
        initializers: [{ name: 'twelve', shape: [1], data: BigInt64Array.of(12n) }],
        nodes: [{ op: 'Reshape', inputs: ['x', 'twelve'], outputs: ['scores'] }],
      }),
      'models/flat/config.yaml': 'max_batch_size: 0\nsignalbox: { image: { resize: [2, 2], topK: 12 } }\n',
    },
  });
  const response = await fetch(unbatched.url('/predict/flat'), {
    method: 'POST',
    body: scan as Uint8Array<ArrayBuffer>,
  });
  const { predictions } = (await response.json()) as Classes;
  expect(predictions.map(({ class_id }) => class_id).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: 12 }, (_, id) => id),
  );
  const served = await fetch(unbatched.url('/predictions/flat'), {
    method: 'POST',
    body: scan as Uint8Array<ArrayBuffer>,
  });
  expect(Object.keys((await served.json()) as object)).toHaveLength(12);
});

test('a model whose configuration says nothing of images takes none, and without a default model the call must name one', async () => {
  await using plain = await startGateway({
    files: {
      'models/one/1/model.onnx': identityModel(),
      'models/two/1/model.onnx': identityModel(),
    },
  });
  const post = async (path: string) => {
    const response = await fetch(plain.url(path), { method: 'POST', body: scan as Uint8Array<ArrayBuffer> });
    return { status: response.status, body: (await response.json()) as { error: string } };
  };
  expect(await post('/predict/one')).toEqual({
    status: 400,
    body: { error: expect.stringContaining('its configuration has no signalbox.image') as string },
  });
  expect(await post('/predict')).toEqual({
    status: 400,
    body: { error: 'which model? There are: one, two; call /predict/{model}, or set models.defaultModel' },
  });
});
