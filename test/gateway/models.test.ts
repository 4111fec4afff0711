import { rename, symlink, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { addingModel } from '../models/small-models.ts';
import { eventually, startGateway } from './running-gateway.ts';
import type { RunningGateway } from './running-gateway.ts';

/** What the model makes of 0, over HTTP; undefined where it isn't served. */
async function addendOver(gateway: RunningGateway, path: string): Promise<number | undefined> {
  const response = await fetch(gateway.url(`/v2/models/${path}/infer`), {
    method: 'POST',
    body: JSON.stringify({ inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 2], data: [0, 0] }] }),
  });
  const answer = (await response.json()) as { outputs?: readonly { data: readonly number[] }[] };
  return answer.outputs?.[0]?.data[0];
}

test('with poll control a swapped ..data link is served, and one that is taken away is not', async () => {
  await using gateway = await startGateway({
    files: { 'models/..1/m/1/model.onnx': addingModel(1), 'models/..2/m/1/model.onnx': addingModel(2) },
  });
  const models = join(gateway.folder.path, 'models');
  await symlink('..1', join(models, '..data'));
  await symlink('..data/m', join(models, 'm'));
  await eventually(async () => (await addendOver(gateway, 'm')) === 1);
  await symlink('..2', join(models, '..next'));
  await rename(join(models, '..next'), join(models, '..data'));
  await eventually(async () => (await addendOver(gateway, 'm')) === 2);
  await unlink(join(models, 'm'));
  await eventually(async () => (await addendOver(gateway, 'm')) === undefined);
});

test('with explicit control only what models.load names is served, whatever the folders hold', async () => {
  await using gateway = await startGateway({
    config: 'models: { repository: ./models, control: explicit, load: [a] }',
    files: {
      'models/a/1/model.onnx': addingModel(1),
      'models/b/1/model.onnx': addingModel(2),
      // An experiment may be written on a model that is loaded later.
      'experiments/b.yaml':
        'key: b\nmodel: b\nstatus: running\ncontrol: v1\nvariants: [{ name: v1, version: 1, weight: 1 }]\n',
    },
  });
  expect(await addendOver(gateway, 'a')).toBe(1);
  expect(await addendOver(gateway, 'b')).toBeUndefined();
  await gateway.server.gateway.repository.load('b');
  expect(await addendOver(gateway, 'b')).toBe(2);
  await gateway.server.gateway.repository.unload('a');
  expect(await addendOver(gateway, 'a')).toBeUndefined();
});

test('a field without effect is logged with its line', async () => {
  await using gateway = await startGateway({
    files: {
      'models/m/1/model.onnx': addingModel(1),
      'models/m/config.pbtxt': 'max_batch_size: 4\nruntime: "x"',
    },
  });
  const line = gateway.log.find((text) => text.includes('has no effect'));
  expect(line).toContain('config.pbtxt:2:10: runtime: is not supported: ONNX Runtime is part of the gateway');
});
