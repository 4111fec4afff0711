import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ModelRepository } from '../../../backends/repository/repository.ts';
import { identityModel } from '../../models/onnx-graph.ts';
import { addingModel } from '../../models/small-models.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import { addendOf, modelPath, openRepository, repositoryEvents } from './open-repository.ts';

test('every version of every model is served, and the highest answers an unversioned call', async () => {
  await using opened = await openRepository({
    'one/1/model.onnx': addingModel(1),
    'one/10/model.onnx': addingModel(10),
    'one/9/model.onnx': addingModel(9),
    'another/1/model.onnx': addingModel(100),
  });
  const { repository } = opened;
  expect(repository.index()).toEqual([
    { name: 'another', version: 1, state: 'READY', reason: '' },
    { name: 'one', version: 1, state: 'READY', reason: '' },
    { name: 'one', version: 9, state: 'READY', reason: '' },
    { name: 'one', version: 10, state: 'READY', reason: '' },
  ]);
  const sums = await Promise.all([1, 9, 10].map((version) => addendOf(opened.ready('one', version))));
  expect(sums).toEqual([1, 9, 10]);
  expect(repository.model('one')?.highestReady?.about.version).toBe(10);
  expect(repository.model('nobody')).toBeUndefined();
});

test('a broken model does not stop the others, and the index says what is wrong with each', async () => {
  await using opened = await openRepository({
    'good/1/model.onnx': addingModel(1),
    'text/1/model.onnx': 'not an ONNX model',
    'missing/1/weights.bin': '',
    'config/1/model.onnx': addingModel(1),
    'config/config.yaml': 'max_batch_size: -1',
    'triton/1/model.onnx': addingModel(1),
    'triton/config.pbtxt': 'max_batch: 8',
    'fixed/1/model.onnx': identityModel('FP32', [1, 4]),
    'fixed/config.yaml': 'max_batch_size: 8',
    'half/1/model.onnx': addingModel(1),
    'half/2/model.onnx': 'not an ONNX model',
  });
  const { root, events } = opened;
  const stateOf = (model: string, version: number): string | undefined => opened.stateOf(model, version);
  expect(stateOf('good', 1)).toBe('READY');
  expect(stateOf('text', 1)).toMatch(
    new RegExp(`^UNAVAILABLE failed to load ${modelPath(root, 'text', 1)}: .*protobuf`, 'i'),
  );
  expect(stateOf('missing', 1)).toBe(
    `UNAVAILABLE there is no file ${modelPath(root, 'missing', 1)}; expected an ONNX model of that name`,
  );
  expect(stateOf('config', 1)).toMatch(/^UNAVAILABLE .*config\.yaml:1:17: max_batch_size: is -1; expected /);
  expect(stateOf('triton', 1)).toMatch(/^UNAVAILABLE .*config\.pbtxt:1:1: max_batch: is an unknown key; /);
  expect(stateOf('fixed', 1)).toContain(`UNAVAILABLE failed to load ${modelPath(root, 'fixed', 1)}`);
  expect(stateOf('fixed', 1)).toContain(
    'max_batch_size is 8, but the first dimension of "INPUT" isn\'t free',
  );
  expect(stateOf('half', 1)).toBe('READY');
  expect(stateOf('half', 2)).toContain('UNAVAILABLE');
  expect(opened.repository.model('half')?.highestReady?.about.version).toBe(1);
  expect(events.onVersion).toHaveBeenCalledWith('good', 1, 'ready');
  expect(events.onVersion).toHaveBeenCalledWith(
    'half',
    2,
    'failed',
    expect.stringContaining('failed to load'),
  );
  expect(await addendOf(opened.ready('good', 1))).toBe(1);
});

test('a preferred batch size above what the graph lets a model have is refused, as it would never be reached', async () => {
  await using opened = await openRepository({
    'm/1/model.onnx': addingModel(1),
    'm/config.yaml': 'dynamic_batching: { preferred_batch_size: [64] }',
  });
  expect(opened.stateOf('m', 1)).toContain('preferred_batch_size');
});

test('labels and image preprocessing of the configuration are those of the loaded version', async () => {
  await using opened = await openRepository({
    'm/1/model.onnx': identityModel('FP32', ['batch', 3, 'height', 'width']),
    'm/config.yaml': 'max_batch_size: 4\nsignalbox: { labels: names.txt, image: { topK: 3 } }',
    'm/names.txt': 'cat\ndog\n',
  });
  expect(opened.ready('m', 1).about).toMatchObject({
    labels: ['cat', 'dog'],
    maxBatchSize: 4,
    image: { topK: 3 },
  });
});

test('a folder with no version is told of', async () => {
  await using opened = await openRepository({ 'empty/notes.txt': '' });
  expect(opened.events.onFolder).toHaveBeenCalledWith(
    expect.stringContaining('empty'),
    'has no version: expected a folder named 1 with a model.onnx',
  );
});

test('a model that stands in two repositories is not served, and the reason names both', async () => {
  await using first = await temporaryFolder({
    'm/1/model.onnx': addingModel(1),
    'a/1/model.onnx': addingModel(1),
  });
  await using second = await temporaryFolder({
    'm/2/model.onnx': addingModel(2),
    'b/1/model.onnx': addingModel(2),
  });
  const events = repositoryEvents();
  const repository = await ModelRepository.open({
    roots: [first.path, second.path],
    control: 'poll',
    load: [],
    events,
  });
  expect(repository.index().map(({ name, version, state }) => `${name}/${version} ${state}`)).toEqual([
    'a/1 READY',
    'b/1 READY',
    'm/1 UNAVAILABLE',
    'm/2 UNAVAILABLE',
  ]);
  expect(repository.index().at(-1)?.reason).toContain(
    `stands in several repositories, ${first.path}/m and ${second.path}/m; expected it in one of them`,
  );
  await rm(join(second.path, 'm'), { recursive: true });
  await repository.refresh();
  await repository.refresh();
  expect(repository.index().map(({ name, version, state }) => `${name}/${version} ${state}`)).toEqual([
    'a/1 READY',
    'b/1 READY',
    'm/1 READY',
  ]);
  await repository.close();
});

test('a repository that is not there cannot be opened', async () => {
  const opened = ModelRepository.open({
    roots: ['/nowhere'],
    control: 'poll',
    load: [],
    events: repositoryEvents(),
  });
  await expect(opened).rejects.toThrow('/nowhere');
});

test('closing waits for what is in flight and for those who hold a version', async () => {
  await using opened = await openRepository({ 'm/1/model.onnx': addingModel(5) });
  const version = opened.ready('m', 1);
  const release = version.hold();
  const inFlight = addendOf(version);
  let isClosed = false;
  const closed = opened.repository.close().then(() => {
    isClosed = true;
  });
  expect(await inFlight).toBe(5);
  // Who holds the version may still ask it something.
  expect(await addendOf(version)).toBe(5);
  expect(isClosed).toBe(false);
  release();
  await closed;
  expect(opened.repository.index()).toEqual([]);
  await expect(addendOf(version)).rejects.toMatchObject({ fault: 'unavailable' });
});
