import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { formatProblem } from '../../../documents/problem.ts';
import { scanRepository } from '../../../backends/repository/layout.ts';
import { readSettings } from '../../../backends/repository/model-settings.ts';
import type { ModelSettings } from '../../../backends/repository/model-settings.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import type { TemporaryFolder } from '../../models/temporary-folder.ts';

/** The settings of the only model of a repository. */
async function settingsIn(root: TemporaryFolder): Promise<ModelSettings> {
  const [folder] = scanRepository(root.path).folders;
  if (folder === undefined) throw new Error('the repository has no model');
  return readSettings(folder);
}

async function labelsOf(text: string): Promise<readonly string[]> {
  await using root = await temporaryFolder({
    'm/config.yaml': 'signalbox: { labels: labels.txt }',
    'm/labels.txt': text,
  });
  const settings = await settingsIn(root);
  if (settings.kind === 'refused') throw new Error(settings.problems.map(formatProblem).join());
  return settings.labels;
}

test('a label is a line, and its number the class: an empty line between counts, one at the end does not', async () => {
  expect(await labelsOf('zero\none\ntwo\n')).toEqual(['zero', 'one', 'two']);
  expect(await labelsOf('zero\r\none')).toEqual(['zero', 'one']);
  expect(await labelsOf('zero\n\ntwo\n')).toEqual(['zero', '', 'two']);
  expect(await labelsOf('')).toEqual([]);
});

test('labels that are not there are a mistake of the configuration, told with their path', async () => {
  await using root = await temporaryFolder({ 'm/config.yaml': 'signalbox: { labels: gone.txt }' });
  const settings = await settingsIn(root);
  if (settings.kind === 'read') throw new Error('expected a refusal');
  expect(settings.problems).toEqual([
    {
      file: join(root.path, 'm/config.yaml'),
      line: 0,
      column: 0,
      path: '',
      message: expect.stringContaining(join(root.path, 'm/gone.txt')) as string,
    },
  ]);
});

test('a mistake names the file by its path, with its line and column', async () => {
  await using root = await temporaryFolder({ 'm/config.yaml': '\nmax_batch_size: []\n' });
  const settings = await settingsIn(root);
  if (settings.kind === 'read') throw new Error('expected a refusal');
  expect(settings.problems.map(formatProblem)).toEqual([
    `${join(root.path, 'm/config.yaml')}:2:1: max_batch_size: is a list of 0; ` +
      'expected a whole number from 0 (the model does not batch) to 65536',
  ]);
});

test('YAML that cannot be parsed is told with its line and column', async () => {
  await using root = await temporaryFolder({ 'm/config.yaml': 'max_batch_size: 1\nmax_batch_size: 2\n' });
  const settings = await settingsIn(root);
  if (settings.kind === 'read') throw new Error('expected a refusal');
  expect(settings.problems).toMatchObject([
    { line: 2, column: 1, message: 'the key max_batch_size is there twice; leave one of them out' },
  ]);
});

test('the fingerprint changes with the configuration and with the labels, and with nothing else', async () => {
  await using root = await temporaryFolder({
    'm/config.yaml': 'signalbox: { labels: labels.txt }',
    'm/labels.txt': 'a\n',
  });
  const first = (await settingsIn(root)).fingerprint;
  await root.write({ 'm/notes.txt': 'x', 'm/1/model.onnx': 'x' });
  expect((await settingsIn(root)).fingerprint).toBe(first);
  await root.write({ 'm/labels.txt': 'b\n' });
  const second = (await settingsIn(root)).fingerprint;
  await root.write({ 'm/config.yaml': 'signalbox: { labels: labels.txt }\nmax_batch_size: 4' });
  const third = (await settingsIn(root)).fingerprint;
  await root.write({ 'm/config.yaml': 'nonsense: 1' });
  expect(new Set([first, second, third, (await settingsIn(root)).fingerprint]).size).toBe(4);
});

test.each(['constructor', '__proto__', 'toString'])(
  'a config.pbtxt with a field called %s is refused at its line',
  async (name) => {
    await using root = await temporaryFolder({ 'm/config.pbtxt': `name: "m"\n${name}: 1\n` });
    const settings = await settingsIn(root);
    if (settings.kind === 'read') throw new Error('expected a refusal');
    expect(settings.problems.map(formatProblem)[0]).toContain(
      `${join(root.path, 'm/config.pbtxt')}:2:1: ${name}: is an unknown key`,
    );
  },
);

test('whatever goes wrong with the files of a model is its own refusal, and names the file', async () => {
  await using root = await temporaryFolder({ 'm/config.yaml': 'max_batch_size: 4\n' });
  vi.spyOn(Object, 'freeze').mockImplementationOnce(() => {
    throw new TypeError('a mistake of the reader');
  });
  const settings = await settingsIn(root);
  vi.restoreAllMocks();
  if (settings.kind === 'read') throw new Error('expected a refusal');
  expect(settings.problems.map(formatProblem)).toEqual([
    `${join(root.path, 'm/config.yaml')}: can't be read: a mistake of the reader`,
  ]);
});
