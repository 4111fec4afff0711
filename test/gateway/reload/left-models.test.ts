import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseYaml } from '../../../documents/yaml-document.ts';
import { readExperiment } from '../../../experiments/definition.ts';
import { NO_EXPERIMENTS, assembleExperiments } from '../../../experiments/experiment-set.ts';
import type { ExperimentSet } from '../../../experiments/experiment-set.ts';
import { leftModels } from '../../../gateway/reload/left-models.ts';
import { signalbox } from '../../e2e/cli.ts';
import { addingModel } from '../../models/small-models.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import { askAdmin } from '../faces/admin-client.ts';
import { eventually, startGateway } from '../running-gateway.ts';
import { experiment } from './watched-folder.ts';

function setOf(...texts: readonly string[]): ExperimentSet {
  return assembleExperiments(texts.map((text) => readExperiment(parseYaml(text, 'a.yaml'), undefined))).set;
}

describe('a model is left where its experiment goes', () => {
  const highest = (): number => 2;

  test('and its highest version had not been given all of its calls', () => {
    expect(leftModels(setOf(experiment()), NO_EXPERIMENTS, highest)).toEqual([
      { model: 'a', experiment: 'a', shares: { v1: 0.9, v2: 0.1 }, version: 2 },
    ]);
    expect(leftModels(setOf(experiment({ status: 'completed' })), NO_EXPERIMENTS, highest)).toMatchObject([
      { shares: { v1: 1, v2: 0 }, version: 2 },
    ]);
    const winner = `${experiment({ status: 'completed' })}winner: v2\n`;
    expect(leftModels(setOf(winner), NO_EXPERIMENTS, highest)).toEqual([]);
  });

  test('and some of its units were not enrolled, which had the control', () => {
    const all = experiment().replace('weight: 90', 'weight: 0');
    expect(leftModels(setOf(all), NO_EXPERIMENTS, highest)).toEqual([]);
    expect(leftModels(setOf(`${all}coverage: 0.5\n`), NO_EXPERIMENTS, highest)).toMatchObject([
      { model: 'a' },
    ]);
  });

  test('but not where another one routes it, or nothing answers for it', () => {
    const other = experiment({ key: 'b', model: 'a' });
    expect(leftModels(setOf(experiment()), setOf(other), highest)).toEqual([]);
    expect(leftModels(setOf(experiment()), NO_EXPERIMENTS, () => undefined)).toEqual([]);
  });
});

test('deleting the file of an experiment that was rolled back is told of: its calls go to the version that was rolled back', async () => {
  await using gateway = await startGateway({
    admin: true,
    files: {
      'models/a/1/model.onnx': addingModel(1),
      'models/a/2/model.onnx': addingModel(2),
      'experiments/a.yaml': experiment(),
    },
  });
  const rolledBack = await askAdmin(gateway, '/api/experiments/a/rollback', {
    method: 'POST',
    body: JSON.stringify({ reason: 'v2 is slow' }),
  });
  expect(rolledBack.status).toBe(200);
  await rm(join(gateway.folder.path, 'experiments/a.yaml'));
  const warning = (): string | undefined =>
    gateway.log.find((line) => line.includes('no experiment routes the model any more'));
  await eventually(() => warning() !== undefined);
  expect(JSON.parse(warning() ?? '')).toMatchObject({
    ...{ experiment: 'a', model: 'a', shares: { v1: 1, v2: 0 }, version: 2 },
    ...{ lastChange: 'rollback', reason: 'v2 is slow' },
  });
});

test('signalbox validate --against warns of it before', async () => {
  await using folder = await temporaryFolder({
    'signalbox.yaml':
      'listen: { http: 127.0.0.1:0 }\nmodels: { repository: models }\nexperiments: experiments\n',
    'models/a/1/model.onnx': addingModel(1),
    'models/a/2/model.onnx': addingModel(2),
    'experiments/b.yaml': experiment({ key: 'b', model: 'a', status: 'draft' }),
    'old/a.yaml': experiment(),
  });
  const validate = () =>
    signalbox('validate', join(folder.path, 'signalbox.yaml'), '--against', join(folder.path, 'old'));
  await using warned = validate();
  expect(await warned.ended).toBe(0);
  expect(warned.stdout()).toMatch(
    /^warning: .*old\/a\.yaml:1:6: key: "a" is not there any more, and no other experiment routes model "a": all its calls would go to version 2, /m,
  );
  await writeFile(join(folder.path, 'experiments/a.yaml'), experiment({ status: 'completed' }));
  await using kept = validate();
  expect(await kept.ended).toBe(0);
  expect(kept.stdout()).not.toContain('warning');
});
