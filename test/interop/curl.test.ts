/** `curl`, as people use it by hand. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DEMO_FOLDER, startGateway } from '../gateway/running-gateway.ts';
import type { RunningGateway } from '../gateway/running-gateway.ts';

const run = promisify(execFile);
const IMAGE = join(DEMO_FOLDER, 'images/0001.png');

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway({ admin: true, repository: join(DEMO_FOLDER, 'models') });
});
afterAll(() => gateway[Symbol.asyncDispose]());

async function curl(path: string, ...options: string[]): Promise<unknown> {
  const url = path.startsWith('/') ? gateway.url(path) : path;
  const { stdout } = await run('curl', ['-sS', '--fail-with-body', ...options, url]);
  return JSON.parse(stdout);
}

const ZERO = { success: true, model: 'digits', predictions: [{ class_id: 0, label: 'zero' }, {}, {}] };

test('an image goes as a form', async () => {
  expect(await curl('/predict', '-F', `file=@${IMAGE}`)).toMatchObject(ZERO);
});

test('an image goes as the body', async () => {
  const body = ['-H', 'content-type: image/png', '--data-binary', `@${IMAGE}`];
  expect(await curl('/predict/digits', ...body)).toMatchObject(ZERO);
});

test('a v2 request goes with curl’s own content type, and comes back compressed', async () => {
  const data = Array<number>(64).fill(0);
  const inputs = [{ name: 'image', shape: [1, 1, 8, 8], datatype: 'FP32', data }];
  const answer = await curl('/v2/models/digits/infer?x=1', '--compressed', '-d', JSON.stringify({ inputs }));
  expect(answer).toMatchObject({ model_name: 'digits', outputs: [{ name: 'logits', shape: [1, 10] }] });
});

test.each([
  ['puts a file', ['-T', IMAGE]],
  ['sends a form', ['-F', `data=@${IMAGE}`]],
  ['posts a body', ['--data-binary', `@${IMAGE}`]],
])('TorchServe’s prediction: curl %s', async (_how, options) => {
  const answer = await curl('/predictions/digits', ...options);
  expect(Object.entries(answer as object)[0]).toEqual(['zero', expect.closeTo(1, 1)]);
});

test('TorchServe’s ping', async () => {
  expect(await curl('/ping')).toEqual({ status: 'Healthy' });
});

test('TorchServe’s scaling, and what it describes then', async () => {
  const model = `http://${gateway.server.bound.admin ?? ''}/models/digits/1`;
  expect(await curl(`${model}?min_worker=2&synchronous=true`, '-X', 'PUT')).toEqual({
    status: 'Workers scaled to 2 for model: digits, version: 1',
  });
  expect(await curl(model)).toMatchObject([
    { modelName: 'digits', workers: [{ status: 'READY' }, { status: 'READY' }] },
  ]);
});
