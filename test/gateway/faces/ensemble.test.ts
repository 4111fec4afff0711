import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askOfEach } from '../few-callers.ts';
import { DEMO_FOLDER, startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';

let gateway: RunningGateway;
let labels: Readonly<Record<string, number>>;
let card: {
  readonly versions: Readonly<
    Record<string, { readonly held_out: { readonly correct: number; readonly total: number } }>
  >;
};

const readJson = async (file: string): Promise<unknown> =>
  JSON.parse(await readFile(join(DEMO_FOLDER, file), 'utf8'));

const scan = (file: string): Promise<Buffer> => readFile(join(DEMO_FOLDER, 'images', file));

beforeAll(async () => {
  const repositories = JSON.stringify([join(DEMO_FOLDER, 'models'), join(DEMO_FOLDER, 'ensembles')]);
  gateway = await startGateway({
    config: `models: { repository: ${repositories}, defaultModel: digits }\nlimits: { imagePixels: 10000 }`,
  });
  labels = (await readJson('images/labels.json')) as typeof labels;
  card = (await readJson('models/digits/card.json')) as typeof card;
});
afterAll(() => gateway[Symbol.asyncDispose]());

/** Encoded images as a BYTES tensor, in the binary extension. */
function bytesRequest(images: readonly Uint8Array[], outputs?: readonly string[]): RequestInit {
  const elements = images.flatMap((image) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(image.length);
    return [length, image];
  });
  const binary = Buffer.concat(elements);
  const head = JSON.stringify({
    inputs: [
      {
        name: 'image',
        datatype: 'BYTES',
        shape: [images.length, 1],
        parameters: { binary_data_size: binary.length },
      },
    ],
    ...(outputs !== undefined && { outputs: outputs.map((name) => ({ name })) }),
  });
  return {
    method: 'POST',
    headers: { 'inference-header-content-length': String(Buffer.byteLength(head)) },
    body: Buffer.concat([Buffer.from(head), binary]),
  };
}

interface V2Answer {
  readonly outputs: readonly {
    readonly name: string;
    readonly shape: unknown;
    readonly data: readonly unknown[];
  }[];
}

const DIGITS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];

describe('the demo’s ensemble', () => {
  test('takes encoded images as BYTES, several a request, and answers with each digit’s name', async () => {
    const files = ['0001.png', '0002.png', '0003.png'];
    const images = await Promise.all(files.map(scan));
    const response = await fetch(
      gateway.url('/v2/models/read-digit/infer'),
      bytesRequest(images, ['digit', 'probability']),
    );
    const answer = (await response.json()) as V2Answer;
    expect(response.status).toBe(200);
    expect(answer.outputs.map(({ name, shape }) => ({ name, shape }))).toEqual([
      { name: 'digit', shape: [3, 1] },
      { name: 'probability', shape: [3, 1] },
    ]);
    expect(answer.outputs[0]?.data).toEqual(files.map((file) => DIGITS[labels[file] ?? -1]));
    for (const probability of answer.outputs[1]?.data ?? []) expect(probability).toBeGreaterThan(0.5);
  });

  test('has over image uploads the accuracy that the card states of version 2, the highest', async () => {
    const right = await askOfEach(Object.entries(labels), async ([file, digit]) => {
      const body = await scan(file);
      const response = await fetch(gateway.url('/predict/read-digit'), { method: 'POST', body });
      const { predictions } = (await response.json()) as {
        predictions: readonly { readonly class_id: number; readonly label: string }[];
      };
      expect(predictions).toHaveLength(3);
      expect(predictions[0]?.label).toBe(DIGITS[predictions[0]?.class_id ?? -1]);
      return predictions[0]?.class_id === digit;
    });
    const { correct, total } = card.versions['2']?.held_out ?? {};
    expect({ correct: right.filter(Boolean).length, total: right.length }).toEqual({ correct, total });
  });

  test('says of itself what it is, as Triton does', async () => {
    const metadata: unknown = await (await fetch(gateway.url('/v2/models/read-digit'))).json();
    expect(metadata).toMatchObject({
      platform: 'ensemble',
      inputs: [{ name: 'image', datatype: 'BYTES', shape: [-1, 1] }],
    });
    const config: unknown = await (await fetch(gateway.url('/v2/models/read-digit/config'))).json();
    expect(config).toMatchObject({
      name: 'read-digit',
      platform: 'ensemble',
      backend: '',
      max_batch_size: 32,
      ensemble_scheduling: { step: [{ model_name: 'digit-pixels' }, {}, {}] },
    });
    expect(config).not.toHaveProperty('instance_group');
    const stats = (await (await fetch(gateway.url('/v2/models/read-digit/stats'))).json()) as {
      model_stats: readonly { inference_stats: { success: { count: number } } }[];
    };
    expect(stats.model_stats[0]?.inference_stats.success.count).toBeGreaterThan(0);
  });
});

describe('an image that can’t be read ends the request with a clear answer', () => {
  test.each([
    ['no image', Buffer.from('text'), 400, 'the upload is not an image that can be read'],
    ['an empty one', Buffer.alloc(0), 400, 'the image is empty (0 bytes)'],
  ])('%s', async (_, image, status, told) => {
    const response = await fetch(gateway.url('/v2/models/read-digit/infer'), bytesRequest([image]));
    // Which step it was that could not read it.
    const step = "step 0 ('digit-pixels') of ensemble 'read-digit'";
    expect(await response.json()).toEqual({ error: expect.stringContaining(`${step}: ${told}`) as string });
    expect(response.status).toBe(status);
  });

  test('text in JSON is no image', async () => {
    const body = JSON.stringify({
      inputs: [{ name: 'image', datatype: 'BYTES', shape: [1, 1], data: ['hello'] }],
    });
    const response = await fetch(gateway.url('/v2/models/read-digit/infer'), { method: 'POST', body });
    expect(((await response.json()) as { error: string }).error).toContain(
      'is not an image that can be read',
    );
    expect(response.status).toBe(400);
  });

  test('a model that only decodes takes no image calls, as pixels are no classes', async () => {
    const response = await fetch(gateway.url('/predict/digit-pixels'), {
      method: 'POST',
      body: await scan('0001.png'),
    });
    expect(response.status).toBe(400);
    expect(((await response.json()) as { error: string }).error).toContain(
      "model 'digit-pixels' takes no images",
    );
  });
});
