import { readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createKey } from '../../../gateway/trust/api-key.ts';
import { encodeModel, identityModel } from '../../models/onnx-graph.ts';
import { addingModel } from '../../models/small-models.ts';
import { torchArchive, zipFile } from '../../models/zip-file.ts';
import { keysYaml } from '../keys-yaml.ts';
import { DEMO_FOLDER, eventually, startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';

const MODEL = addingModel(1);

/** Takes an image of ImageNet's size, and answers one score for each channel. */
const CLASSIFIER = encodeModel({
  inputs: [{ name: 'x', datatype: 'FP32', shape: ['batch', 3, 224, 224] }],
  outputs: [{ name: 'scores', datatype: 'FP32', shape: ['batch', 3] }],
  nodes: [
    { op: 'GlobalAveragePool', inputs: ['x'], outputs: ['mean'] },
    { op: 'Flatten', inputs: ['mean'], outputs: ['scores'] },
  ],
});

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway({
    admin: true,
    files: {
      'models/plain.onnx': MODEL,
      'models/left-out.onnx': MODEL,
      'models/broken.onnx': 'no model',
      'models/readme.txt': 'text',
      'models/there/1/model.onnx': MODEL,
      'models/there/config.yaml': 'max_batch_size: 8\nsignalbox: { labels: names.txt }\n',
      'models/there/names.txt': 'cat\ndog\n',
    },
  });
});
afterAll(() => gateway[Symbol.asyncDispose]());

const inRepository = (path: string): string => join(gateway.folder.path, 'models', path);

async function register(query: Readonly<Record<string, string>>, on = gateway, options: RequestInit = {}) {
  const response = await fetch(
    `http://${on.server.bound.admin ?? ''}/models?${new URLSearchParams(query).toString()}`,
    { method: 'POST', ...options },
  );
  const body = (await response.json()) as { status?: string; type?: string; message?: string };
  return { status: response.status, body };
}

async function infer(model: string, data: readonly number[], version = '') {
  const response = await fetch(gateway.url(`/v2/models/${model}${version && `/versions/${version}`}/infer`), {
    method: 'POST',
    body: JSON.stringify({ inputs: [{ name: 'INPUT', shape: [1, data.length], datatype: 'FP32', data }] }),
  });
  return { status: response.status, body: (await response.json()) as { outputs?: { data: number[] }[] } };
}

/** What a failed registration must leave as it was. */
async function listing(): Promise<readonly string[]> {
  return (await readdir(inRepository('.'), { recursive: true })).sort();
}

async function refusal(query: Readonly<Record<string, string>>, archive?: Uint8Array) {
  if (archive !== undefined) await writeFile(inRepository('bad.mar'), archive);
  const before = await listing();
  const answer = await register(query);
  expect(await listing()).toEqual(before);
  return answer;
}

describe('POST /models?url=', () => {
  test('takes an ONNX file as the next version of the model that it is named after, or of another', async () => {
    expect(await register({ url: 'plain.onnx' })).toEqual({
      status: 200,
      body: { status: 'Model "plain" Version: 1 registered with 1 initial workers' },
    });
    expect((await infer('plain', [1, 2])).body.outputs?.[0]?.data).toEqual([2, 3]);
    expect((await register({ url: 'plain.onnx' })).body.status).toContain('Version: 2 registered');
    expect((await register({ url: 'plain.onnx', model_name: 'renamed' })).body.status).toContain(
      '"renamed" Version: 1',
    );
    expect(await readFile(inRepository('renamed/1/model.onnx'))).toEqual(Buffer.from(MODEL));
    expect((await infer('renamed', [1, 2], '1')).status).toBe(200);
  });

  test('takes an archive with its labels, its weights beside it, and the name and version that it says', async () => {
    await writeFile(
      inRepository('pets.mar'),
      torchArchive({ modelName: 'pets', serializedFile: 'net.onnx', modelVersion: '3.0' }, [
        { path: 'net.onnx', content: MODEL },
        { path: 'extra/weights.bin', content: 'weights' },
        { path: 'handler.py', content: 'import os' },
        { path: 'requirements.txt', content: 'torch' },
        { path: 'index_to_name.json', content: '{"1": "dog", "0": ["n02", "cat"]}' },
      ]),
    );
    const { status, body } = await register({
      url: 'pets.mar',
      batch_size: '4',
      max_batch_delay: '5',
      initial_workers: '2',
      synchronous: 'true',
      response_timeout: '120',
    });
    expect(status).toBe(200);
    expect(body.status).toBe(
      'Model "pets" Version: 3 registered with 2 initial workers. Its handler handler.py is not run: it takes the model\'s own inputs, in requests of the Open Inference Protocol',
    );
    expect((await readdir(inRepository('pets'), { recursive: true })).sort()).toEqual([
      '3',
      '3/extra',
      '3/extra/weights.bin',
      '3/model.onnx',
      'config.yaml',
      'labels.txt',
    ]);
    expect(await readFile(inRepository('pets/labels.txt'), 'utf8')).toBe('cat\ndog\n');
    const described = await fetch(`http://${gateway.server.bound.admin ?? ''}/models/pets`);
    expect(await described.json()).toMatchObject([
      { modelVersion: '3', batchSize: 4, maxBatchDelay: 5, minWorkers: 2 },
    ]);
    expect((await infer('pets', [1, 2])).body.outputs?.[0]?.data).toEqual([2, 3]);
  });

  test('an archive with the handler image_classifier answers images as TorchServe does', async () => {
    const archive = (version: string) =>
      torchArchive(
        {
          modelName: 'colours',
          serializedFile: 'net.onnx',
          handler: 'image_classifier',
          modelVersion: version,
        },
        [
          { path: 'net.onnx', content: CLASSIFIER },
          { path: 'index_to_name.json', content: '{"0": "red", "1": "green", "2": "blue"}' },
        ],
      );
    await writeFile(inRepository('colours.mar'), archive('1.0'));
    expect((await register({ url: 'colours.mar' })).body).toEqual({
      status: 'Model "colours" Version: 1 registered with 1 initial workers',
    });
    const image = await readFile(join(DEMO_FOLDER, 'images/0001.png'));
    const answer = await fetch(gateway.url('/predictions/colours'), { method: 'POST', body: image });
    expect(Object.keys((await answer.json()) as object).sort()).toEqual(['blue', 'green', 'red']);

    // A further version with the same labels and the same handler needs no other configuration.
    await writeFile(inRepository('colours-2.mar'), archive('2.0'));
    expect((await register({ url: 'colours-2.mar' })).body.status).toContain(
      '"colours" Version: 2 registered',
    );
  });

  test('without synchronous nobody waits for the workers that were asked for', async () => {
    const answer = await register({ url: 'plain.onnx', model_name: 'later', initial_workers: '1' });
    expect(answer).toEqual({ status: 202, body: { status: 'Processing worker updates...' } });
    await eventually(async () => (await infer('later', [1, 2])).status === 200);
  });

  test('takes the parameters as JSON too', async () => {
    const body = JSON.stringify({
      url: 'plain.onnx',
      model_name: 'as-json',
      batch_size: 2,
      synchronous: true,
    });
    const answer = await register({}, gateway, { body, headers: { 'content-type': 'application/json' } });
    expect(answer.body.status).toContain('"as-json" Version: 1 registered');
  });

  test('takes null in JSON for what is left out', async () => {
    const left = {
      model_name: null,
      handler: null,
      batch_size: null,
      initial_workers: null,
      synchronous: null,
    };
    const body = JSON.stringify({ url: 'left-out.onnx', ...left });
    const answer = await register({}, gateway, { body, headers: { 'content-type': 'application/json' } });
    expect(answer.body.status).toContain('"left-out" Version: 1 registered');
  });
});

describe('what can’t be registered is refused by name, and nothing is left of it', () => {
  test.each([
    [{}, 400, 'BadRequestException', /Parameter url is required/],
    [
      { url: 'https://example.org/a.mar' },
      400,
      'BadRequestException',
      /begins with none of models.allowedUrls/,
    ],
    [
      { url: 'file:///etc/passwd' },
      400,
      'BadRequestException',
      /an http or https address that models.allowedUrls allows/,
    ],
    [
      { url: '../signalbox.yaml' },
      400,
      'BadRequestException',
      /expected the path of a file in the model repository/,
    ],
    [{ url: '/etc/passwd' }, 400, 'BadRequestException', /expected the path of a file/],
    [{ url: 'there/../plain.onnx' }, 400, 'BadRequestException', /expected the path of a file/],
    [
      { url: 'nothing.mar' },
      404,
      'ModelNotFoundException',
      /there is no file "nothing.mar" in the model repository/,
    ],
    [{ url: 'there' }, 404, 'ModelNotFoundException', /there is no file "there"/],
    [{ url: 'readme.txt' }, 400, 'BadRequestException', /neither an ONNX model \(.onnx\) nor an archive/],
    [{ url: 'broken.onnx' }, 500, 'InternalServerException', /failed to load 'broken', version 1/],
    [{ url: 'plain.onnx', model_name: '../up' }, 400, 'BadRequestException', /the model's name is "..\/up"/],
    [{ url: 'plain.onnx', initial_workers: '0' }, 400, 'BadRequestException', /initial_workers is '0'/],
    [{ url: 'plain.onnx', response_timeout: '1' }, 501, 'InternalServerException', /set timeouts.inference/],
    [{ url: 'plain.onnx', startup: '1' }, 400, 'BadRequestException', /unknown parameter 'startup'/],
    [
      { url: 'plain.onnx', model_name: 'there', batch_size: '16' },
      400,
      'BadRequestException',
      /differs in max_batch_size/,
    ],
  ])('%j', async (query, status, type, message) => {
    const answer = await refusal(query);
    expect(answer).toMatchObject({ status, body: { code: status, type } });
    expect(answer.body.message).toMatch(message);
  });

  test.each([
    [
      'TorchScript',
      { serializedFile: 'model.pt' },
      [{ path: 'model.pt', content: 'x' }],
      /model.pt is a TorchScript or PyTorch model: export it with torch.onnx.export/,
    ],
    [
      'code alone',
      {},
      [{ path: 'handler.py', content: 'x' }],
      /has code and no model of its own.*export the model to ONNX and archive that/,
    ],
    [
      'a model that it lacks',
      { serializedFile: 'net.onnx' },
      [],
      /names "net.onnx", and there is no such file/,
    ],
    [
      'a version that is no whole number',
      { serializedFile: 'net.onnx', modelVersion: '1.2' },
      [{ path: 'net.onnx', content: MODEL }],
      /modelVersion in bad.mar is "1.2"/,
    ],
    [
      'labels that are none',
      { serializedFile: 'net.onnx' },
      [
        { path: 'net.onnx', content: MODEL },
        { path: 'index_to_name.json', content: '[1]' },
      ],
      /no map from classes to labels/,
    ],
    [
      'a label of two lines',
      { serializedFile: 'net.onnx' },
      [
        { path: 'net.onnx', content: MODEL },
        { path: 'index_to_name.json', content: '{"0": "a\\nb"}' },
      ],
      /the label of class 0/,
    ],
    [
      'other labels than the model has',
      { modelName: 'there', modelVersion: '9', serializedFile: 'net.onnx' },
      [
        { path: 'net.onnx', content: MODEL },
        { path: 'index_to_name.json', content: '{"0": "x"}' },
      ],
      /differs in signalbox.labels/,
    ],
  ])('an archive with %s', async (_, model, files, message) => {
    const answer = await refusal({ url: 'bad.mar' }, torchArchive(model, files));
    expect(answer.status).toBe(400);
    expect(answer.body.message).toMatch(message);
  });

  test('an archive without a manifest, and one whose manifest is none', async () => {
    const none = await refusal({ url: 'bad.mar' }, zipFile([{ path: 'net.onnx', content: MODEL }]));
    expect(none.body.message).toMatch(/bad.mar has no MAR-INF\/MANIFEST.json/);
    const other = await refusal(
      { url: 'bad.mar' },
      zipFile([{ path: 'MAR-INF/MANIFEST.json', content: '{"model": 3}' }]),
    );
    expect(other.body.message).toMatch(/has no "model" with strings in it/);
  });

  test('a version that the model has, however many ask for it at once', async () => {
    await writeFile(
      inRepository('bad.mar'),
      torchArchive({ modelName: 'raced', serializedFile: 'net.onnx' }, [
        { path: 'net.onnx', content: MODEL },
      ]),
    );
    const answers = await Promise.all([1, 2, 3, 4].map(() => register({ url: 'bad.mar' })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409]);
    expect(answers.find(({ status }) => status === 409)?.body).toMatchObject({
      code: 409,
      type: 'ConflictStatusException',
      message: "model 'raced' has a version 1 already; give this one another number",
    });
    expect((await infer('raced', [1, 2])).status).toBe(200);
    expect((await readdir(inRepository('.'))).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  test('a link that leads out of the repository', async () => {
    await gateway.folder.write({ 'outside.onnx': MODEL });
    await symlink(join(gateway.folder.path, 'outside.onnx'), inRepository('link.onnx'));
    const answer = await refusal({ url: 'link.onnx' });
    expect(answer.body.message).toMatch(/leads out of the model repository/);
  });

  test('a model whose next version is broken goes on as it was', async () => {
    const answer = await refusal({ url: 'broken.onnx', model_name: 'there' });
    expect(answer.status).toBe(500);
    expect((await infer('there', [1, 2])).status).toBe(200);
    expect(gateway.server.gateway.repository.model('there')?.versions).toEqual([1]);
  });
});

test('registering needs the right to change things, a model of the key’s own, and control by requests', async () => {
  const [reader, narrow] = [createKey(), createKey()];
  await using guarded = await startGateway({
    admin: true,
    config: 'auth: { keys: ./keys.yaml }\n',
    files: {
      'models/plain.onnx': identityModel('FP32', ['batch', 1]),
      'keys.yaml': keysYaml(
        [reader, 'scopes: ["admin:read"]'],
        [narrow, 'scopes: ["admin:write"], models: [mine]'],
      ),
    },
  });
  const as = (key: { text: string }) => ({ headers: { authorization: `Bearer ${key.text}` } });
  expect((await register({ url: 'plain.onnx' }, guarded, as(reader))).status).toBe(403);
  expect((await register({ url: 'plain.onnx' }, guarded, as(narrow))).body.message).toMatch(
    /needs model_name/,
  );
  expect((await register({ url: 'plain.onnx', model_name: 'other' }, guarded, as(narrow))).status).toBe(403);
  expect((await register({ url: 'plain.onnx', model_name: 'mine' }, guarded, as(narrow))).status).toBe(200);

  await using fixed = await startGateway({
    admin: true,
    config: 'models: { repository: ./models, control: none }\n',
    files: { 'models/plain.onnx': identityModel('FP32', ['batch', 1]) },
  });
  expect(await register({ url: 'plain.onnx' }, fixed)).toMatchObject({
    status: 503,
    body: { message: expect.stringMatching(/models.control is none/) as string },
  });
});
