/** What is followed while it serves may be bad as the process dies: an edit that is under way, a certificate without its key. */
import { readFile } from 'node:fs/promises';
import { get } from 'node:https';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createKey } from '../../gateway/trust/api-key.ts';
import { certify } from '../gateway/certificates.ts';
import { eventually } from '../gateway/running-gateway.ts';
import { addingModel } from '../models/small-models.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';
import { startSupervised } from './supervised.ts';

const key = createKey();
const KEYS = `keys:\n  - { id: "${key.id}", hash: "${key.hash}", scopes: [infer] }\n`;
const experiment = (weight: number): string =>
  'key: adding-test\nmodel: adding\nstatus: running\ncontrol: v1\nvariants:\n' +
  `  - { name: v1, version: 1, weight: 0 }\n  - { name: v2, version: 2, weight: ${weight} }\n`;

test('a process that takes over goes on with the experiments, keys and certificate that were in force, whatever their files are by then', async () => {
  await using certificates = await temporaryFolder({ 'keys.yaml': KEYS });
  await certify(certificates.path, 'server');
  const file = (name: string): string => join(certificates.path, name);
  const ca = await readFile(file('server.pem'));
  await using gateway = await startSupervised({
    models: { adding: addingModel(1) },
    files: { 'adding/2/model.onnx': addingModel(2), 'adding/config.yaml': 'version_policy: { all: {} }\n' },
    experiments: { 'adding.yaml': experiment(100) },
    config:
      `experiments: ./experiments\nauth: { keys: ${JSON.stringify(file('keys.yaml'))} }\n` +
      `tls: { admin: { cert: ${JSON.stringify(file('server.pem'))}, key: ${JSON.stringify(file('server.key'))} } }\n`,
  });
  const infer = async (): Promise<string> => {
    const response = await fetch(`${gateway.data}/v2/models/adding/infer`, {
      method: 'POST',
      headers: { 'x-api-key': key.text },
      body: JSON.stringify({
        inputs: [{ name: 'INPUT', shape: [1, 2], datatype: 'FP32', data: [1, 1] }],
      }),
    });
    await response.arrayBuffer();
    return `${response.status} ${response.headers.get('x-experiment') ?? ''}`;
  };
  const adminStatus = (): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      get(`${gateway.admin.replace('http:', 'https:')}/api/experiments`, { ca }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).on('error', reject);
    });
  const refusals = (): readonly number[] =>
    [
      'experiment file refused; the last good one stays',
      'keys refused; the last good ones stay',
      'a certificate was refused; the last good one stays',
    ].map((message) => gateway.logged(message).length);

  expect(await infer()).toBe('200 adding-test=v2');
  await gateway.folder.write({ 'experiments/adding.yaml': experiment(-1) });
  await certificates.write({ 'keys.yaml': 'keys: [', 'server.key': 'no key' });
  await eventually(() => refusals().every((count) => count === 1));

  process.kill(await gateway.childPid(), 'SIGKILL');
  await eventually(() => gateway.logged('the server is ready again').length === 1);
  expect(await infer()).toBe('200 adding-test=v2');
  // Known, and without that scope.
  expect(await adminStatus()).toBe(401);
  await eventually(() => refusals().every((count) => count === 2));

  await gateway.folder.write({ 'experiments/adding.yaml': experiment(0).replace('weight: 0', 'weight: 1') });
  await eventually(async () => (await infer()) === '200 adding-test=v1');
});
