/** A name that a caller sends is looked up among names; it never becomes a path. */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startGateway } from '../gateway/running-gateway.ts';
import type { RunningGateway } from '../gateway/running-gateway.ts';
import { identityModel } from '../models/onnx-graph.ts';
import { send } from './raw-socket.ts';

const MODEL = identityModel('FP32', ['batch', 1]);

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway({
    admin: true,
    config: 'models: { repository: ./models, control: explicit, load: [simple] }\n',
    files: { 'models/simple/1/model.onnx': MODEL, 'outside/1/model.onnx': MODEL, 'secret.txt': 'the secret' },
  });
});
afterAll(() => gateway[Symbol.asyncDispose]());

const OUTSIDE = [
  '../outside',
  '..%2foutside',
  '..%2Foutside',
  '%2e%2e%2foutside',
  '%2e%2e/outside',
  '..%5coutside',
  '..%252foutside',
  '%2fetc',
  '%00',
  'simple%00',
  'simple%2f..%2f..%2foutside',
  '.',
  '..',
  '%c0%ae%c0%ae%2foutside',
];

/** As it is: a client would take the dots out of the path before it sends it. */
function ask(method: string, target: string, plane: 'http' | 'admin', body = '') {
  const head = [`${method} ${target} HTTP/1.1`, 'Host: localhost', 'Connection: close'];
  return send(
    gateway.server.bound[plane] ?? '',
    [...head, `Content-Length: ${body.length}`, '', body].join('\r\n'),
  );
}

test.each(OUTSIDE)('%s is no model', async (name) => {
  const answers = await Promise.all([
    ask('POST', `/v2/repository/models/${name}/load`, 'http', '{}'),
    ask('POST', `/v2/models/${name}/infer`, 'http', '{}'),
    ask('GET', `/v2/models/${name}/config`, 'http'),
    ask('GET', `/v2/models/simple/versions/${name}`, 'http'),
    ask('POST', `/predict/${name}`, 'http', 'a'),
    ask('POST', `/api/models/${name}/load`, 'admin', '{}'),
    ask('GET', `/api/experiments/${name}`, 'admin'),
    ask('GET', `/models/${name}`, 'admin'),
    ask('GET', `/console/${name}/secret.txt`, 'admin'),
  ]);
  const page = await ask('GET', `/console/${name}`, 'admin');
  expect(page.text).not.toContain('the secret');
  for (const { statuses, text } of answers) {
    expect(text).not.toContain('the secret');
    expect(text).not.toContain(gateway.folder.path);
    expect(statuses[0]).toBeGreaterThanOrEqual(300);
    expect(statuses[0]).not.toBe(200);
  }
  const index = await fetch(gateway.url('/v2/repository/index'), { method: 'POST' });
  expect(((await index.json()) as { name: string }[]).map(({ name }) => name)).toEqual(['simple']);
});

test.each(['file:../../outside/1/model.onnx', 'file:/tmp/signalbox-planted', 'file:1/../../../secret.txt'])(
  'a load that brings %s writes nothing',
  async (file) => {
    const parameters = { config: '{"backend":"onnxruntime"}', [file]: Buffer.from(MODEL).toString('base64') };
    const response = await fetch(gateway.url('/v2/repository/models/simple/load'), {
      method: 'POST',
      body: JSON.stringify({ parameters }),
    });
    expect(response.status).toBeGreaterThanOrEqual(400);
    await expect(access('/tmp/signalbox-planted')).rejects.toThrow('ENOENT');
    await expect(access(join(gateway.folder.path, 'models/secret.txt'))).rejects.toThrow('ENOENT');
  },
);

test.each(['../outside', '/etc', 'simple/../../outside'])(
  'nor does a configuration in a load lead out of the folder: labels and files of %s',
  async (path) => {
    const config = JSON.stringify({ default_model_filename: `${path}/1/model.onnx` });
    const response = await fetch(gateway.url('/v2/repository/models/simple/load'), {
      method: 'POST',
      body: JSON.stringify({ parameters: { config } }),
    });
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect((await fetch(gateway.url('/v2/models/simple/ready'))).status).toBe(200);
  },
);
