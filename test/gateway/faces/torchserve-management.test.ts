import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createKey } from '../../../gateway/trust/api-key.ts';
import { identityModel } from '../../models/onnx-graph.ts';
import { eventually, startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';

const MODEL = identityModel('FP32', ['batch', 1]);

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway({
    admin: true,
    config: `models: { repository: ./models, control: explicit, load: ["*"] }`,
    files: {
      'models/digits/1/model.onnx': MODEL,
      'models/digits/2/model.onnx': MODEL,
      'models/digits/config.yaml':
        'max_batch_size: 8\ndynamic_batching: { max_queue_delay_microseconds: 2000, default_queue_policy: { max_queue_size: 50 } }\n' +
        'instance_group: [{ count: 2, kind: KIND_CPU }]\n',
      'models/kept/1/model.onnx': MODEL,
      'models/kept/config.yaml': 'response_cache: { enable: true }\n',
      'models/single/1/model.onnx': MODEL,
      'models/third/1/model.onnx': MODEL,
      'models/third/2/model.onnx': 'no model',
    },
  });
});
afterAll(() => gateway[Symbol.asyncDispose]());

async function ask(path: string, method = 'GET', on = gateway, key?: string) {
  const response = await fetch(`http://${on.server.bound.admin ?? ''}${path}`, {
    method,
    headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
  });
  return { status: response.status, body: await response.json() };
}

const instancesOf = (model: string, version: number) =>
  gateway.server.gateway.repository.model(model)?.version(version)?.instances;

describe('GET /models', () => {
  test('lists the models page by page', async () => {
    const first = await ask('/models?limit=3');
    expect(first.body).toEqual({
      nextPageToken: '3',
      models: [
        { modelName: 'digits', modelUrl: 'digits/2/model.onnx' },
        { modelName: 'kept', modelUrl: 'kept/1/model.onnx' },
        { modelName: 'single', modelUrl: 'single/1/model.onnx' },
      ],
    });
    expect((await ask('/models?limit=3&next_page_token=3')).body).toEqual({
      models: [{ modelName: 'third', modelUrl: 'third/1/model.onnx' }],
    });
  });

  test('describes a model’s default version, one that is named, or all that are ready', async () => {
    const described = (version: string) => ({
      modelName: 'digits',
      modelVersion: version,
      modelUrl: `digits/${version}/model.onnx`,
      runtime: 'onnxruntime_onnx',
      minWorkers: 2,
      maxWorkers: 2,
      batchSize: 8,
      maxBatchDelay: 2,
      workers: [
        { id: '0', status: 'READY', gpu: false },
        { id: '1', status: 'READY', gpu: false },
      ],
      jobQueueStatus: { remainingCapacity: 50, pendingRequests: 0 },
    });
    expect((await ask('/models/digits')).body).toEqual([described('2')]);
    expect((await ask('/models/digits/1.0')).body).toEqual([described('1')]);
    expect((await ask('/models/digits/all')).body).toEqual([described('1'), described('2')]);
    expect((await ask('/models/third/all')).body).toMatchObject([{ modelVersion: '1' }]);
  });

  test('describes it so too for who asks for what a handler would add: there is none', async () => {
    for (const path of ['/models/digits', '/models/digits/1', '/models/digits/all']) {
      const plain = await ask(path);
      for (const customized of ['true', 'false', 'True'])
        expect(await ask(`${path}?customized=${customized}`)).toEqual(plain);
    }
    expect(await ask('/models/digits?customized=yes')).toMatchObject({
      status: 400,
      body: { message: "customized is 'yes'; expected true or false" },
    });
    expect((await ask('/models/digits?detailed=true')).status).toBe(400);
  });
});

describe('PUT /models/{model} scales the workers', () => {
  test('and says so when they are there, where it is asked to wait', async () => {
    expect(await ask('/models/single?min_worker=3&synchronous=true', 'PUT')).toEqual({
      status: 200,
      body: { status: 'Workers scaled to 3 for model: single, version: 1' },
    });
    expect(instancesOf('single', 1)).toEqual({ ready: 3, hung: 0, wanted: 3 });
    await ask('/models/single/1?min_worker=1&max_worker=2&synchronous=true', 'PUT');
    expect(instancesOf('single', 1)).toEqual({ ready: 2, hung: 0, wanted: 2 });
    await ask('/models/single/1?min_worker=1&max_worker=4&synchronous=true', 'PUT');
    expect(instancesOf('single', 1)).toEqual({ ready: 2, hung: 0, wanted: 2 });
  });

  test('and says that it is under way, where it isn’t; a version whose answers are kept too', async () => {
    expect(await ask('/models/kept/1?min_worker=2', 'PUT')).toEqual({
      status: 202,
      body: { status: 'Processing worker updates...' },
    });
    await eventually(() => instancesOf('kept', 1)?.ready === 2);
  });

  test.each([
    ['min_worker=0', "min_worker is '0'; expected a whole number from 1 to 64"],
    ['max_worker=65', "max_worker is '65'; expected a whole number from 1 to 64"],
    ['min_worker=3&max_worker=2', 'min_worker is 3 and max_worker 2'],
    ['synchronous=true', 'the query has neither min_worker nor max_worker'],
    ['min_worker=2&synchronous=yes', "synchronous is 'yes'; expected true or false"],
    ['min_worker=2&number_gpu=1', "unknown parameter 'number_gpu'"],
    ['min_worker=2&min_worker=3', 'min_worker stands several times'],
  ])('%s is refused', async (query, message) => {
    const before = instancesOf('digits', 2);
    expect(await ask(`/models/digits?${query}`, 'PUT')).toEqual({
      status: 400,
      body: { code: 400, type: 'BadRequestException', message: expect.stringContaining(message) as string },
    });
    expect(instancesOf('digits', 2)).toEqual(before);
  });
});

describe('PUT /models/{model}/{version}/set-default', () => {
  test('is granted for the version that is it', async () => {
    expect(await ask('/models/digits/2/set-default', 'PUT')).toEqual({
      status: 200,
      body: { status: 'Default version successfully updated for model "digits" to "2"' },
    });
  });

  test('is refused for another, which an experiment is to bring', async () => {
    const { status, body } = await ask('/models/digits/1/set-default', 'PUT');
    expect(status).toBe(501);
    expect(body).toMatchObject({ message: expect.stringContaining('in an experiment') as string });
  });
});

describe('DELETE /models/{model}', () => {
  test('unloads it, once it answers no more', async () => {
    await using own = await startGateway({
      admin: true,
      config: `models: { repository: ./models, control: explicit, load: ["*"] }`,
      files: { 'models/a/1/model.onnx': MODEL, 'models/b/1/model.onnx': MODEL },
    });
    expect(await ask('/models/a', 'DELETE', own)).toEqual({
      status: 200,
      body: { status: 'Model "a" unregistered' },
    });
    expect((await ask('/models/b/1.0', 'DELETE', own)).status).toBe(200);
    expect(await ask('/models/a', 'GET', own)).toMatchObject({
      status: 404,
      body: { type: 'ModelNotFoundException' },
    });
    expect((await ask('/models', 'GET', own)).body).toEqual({ models: [] });
  });

  test('takes no version alone, and none that isn’t there', async () => {
    expect(await ask('/models/digits/1', 'DELETE')).toMatchObject({
      status: 501,
      body: { message: expect.stringContaining('versions 1, 2, which are unloaded together') as string },
    });
    expect(await ask('/models/digits/7', 'DELETE')).toMatchObject({
      status: 404,
      body: { type: 'ModelVersionNotFoundException' },
    });
    expect(instancesOf('digits', 1)?.ready).toBe(2);
  });

  test('is refused while the folders say what is served', async () => {
    await using own = await startGateway({ admin: true, files: { 'models/a/1/model.onnx': MODEL } });
    expect(await ask('/models/a', 'DELETE', own)).toMatchObject({
      status: 503,
      body: { code: 503, type: 'ServiceUnavailableException' },
    });
  });
});

test('a model that is not there, and a path that is none, have TorchServe’s errors', async () => {
  expect(await ask('/models/nobody')).toMatchObject({ body: { code: 404, type: 'ModelNotFoundException' } });
  expect(await ask('/models/digits/9')).toMatchObject({
    body: { code: 404, type: 'ModelVersionNotFoundException' },
  });
  expect(await ask('/models/digits/1/2/3')).toMatchObject({
    body: { code: 404, type: 'ResourceNotFoundException' },
  });
});

test('with keys, reading and changing need their scopes, and a key for some models sees those', async () => {
  const reader = createKey();
  const keys = {
    keys: [{ id: reader.id, hash: reader.hash, name: 'reader', scopes: ['admin:read'], models: ['a'] }],
  };
  await using own = await startGateway({
    admin: true,
    config: 'auth: { keys: ./keys.yaml }',
    files: {
      'models/a/1/model.onnx': MODEL,
      'models/b/1/model.onnx': MODEL,
      'keys.yaml': JSON.stringify(keys),
    },
  });
  const as = (path: string, method = 'GET', key: string | undefined = reader.text) =>
    ask(path, method, own, key);
  expect((await as('/models')).body).toEqual({ models: [{ modelName: 'a', modelUrl: 'a/1/model.onnx' }] });
  expect(await as('/models/b')).toMatchObject({ status: 403, body: { type: 'InvalidKeyException' } });
  expect(await as('/models/a?min_worker=2', 'PUT')).toMatchObject({ status: 403 });
  expect(await ask('/models', 'GET', own)).toMatchObject({ status: 401, body: { code: 401 } });
});
