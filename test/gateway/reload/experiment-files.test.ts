import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ExperimentFiles } from '../../../gateway/reload/experiment-files.ts';
import { refusals } from '../../documents/refusals.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import { NOTHING_NEW, NOT_APART, WatchedFolder, experiment } from './watched-folder.ts';

const BAD_WEIGHT = 'is -1; expected a whole number from 0 to 1000000 (for 99.5 % to 0.5 % write 995 and 5)';

describe('the first reading', () => {
  test('takes every YAML file of the folder, and nothing else', async () => {
    await using watched = await WatchedFolder.start({
      'a.yaml': experiment(),
      'b.yml': experiment({ key: 'b' }),
      'notes.txt': 'no: experiment',
      '.hidden.yaml': 'no: experiment',
      'a.yaml~': 'no: experiment',
      'old/c.yaml': experiment({ key: 'c' }),
    });
    expect(watched.weights).toEqual({ a: 10, b: 10 });
  });

  test('of no folder is of no experiments', async () => {
    const files = new ExperimentFiles({ folder: undefined, knownVersions: () => [] });
    await files.load();
    expect(files.current.byKey.size).toBe(0);
    expect(await files.refresh()).toEqual({ changed: [], refused: [] });
  });

  test('refuses a folder that is missing', async () => {
    await using folder = await temporaryFolder();
    const files = new ExperimentFiles({ folder: join(folder.path, 'nope'), knownVersions: () => [] });
    expect(await refusals(() => files.load())).toEqual([
      expect.stringMatching(/nope: can't be read: ENOENT/),
    ]);
  });

  test('tells what is wrong with all of the files at once, and which of them clash', async () => {
    await using folder = await temporaryFolder({
      'a.yaml': experiment({ weight: -1 }),
      'b.yaml': experiment({ key: 'b', version: 7 }),
      'c.yaml': experiment({ key: 'c' }),
      'd.yaml': experiment({ key: 'd', model: 'c' }),
      'e.yaml': experiment({ key: 'c', model: 'e' }),
    });
    const files = new ExperimentFiles({ folder: folder.path, knownVersions: () => [1, 2] });
    const lines = await refusals(() => files.load());
    expect(lines.map((line) => line.replaceAll(`${folder.path}/`, '')).sort()).toEqual([
      `a.yaml:7:37: variants[1].weight: ${BAD_WEIGHT}`,
      'b.yaml:7:26: variants[1].version: is 7, but model "b" has no such version; the repository has 1, 2',
      `d.yaml:3:9: status: is running on model "c", where "c" is running, ${NOT_APART} (c.yaml)`,
      'e.yaml:1:6: key: "c" is taken (c.yaml)',
    ]);
    expect(files.current.byKey.size).toBe(0);
  });

  test('refuses a file of nothing but unknown keys, however many, and leaves none out in silence', async () => {
    const keys = Array.from({ length: 1200 }, (_, index) => `key${index}: 1\n`).join('');
    await using folder = await temporaryFolder({ 'a.yaml': `${experiment()}${keys}` });
    const files = new ExperimentFiles({ folder: folder.path, knownVersions: () => [1, 2] });
    expect((await refusals(() => files.load())).length).toBeGreaterThan(0);
  });
});

describe('an edit', () => {
  test('takes effect when two looks in a row saw the same', async () => {
    await using watched = await WatchedFolder.start({
      'a.yaml': experiment(),
      'b.yaml': experiment({ key: 'b' }),
    });
    await watched.write({ 'a.yaml': experiment({ weight: 20 }) });
    expect(await watched.look()).toEqual(NOTHING_NEW);
    expect(watched.weights).toEqual({ a: 10, b: 10 });
    expect(await watched.look()).toEqual({ changed: ['a.yaml'], refused: [], problems: [] });
    expect(watched.weights).toEqual({ a: 20, b: 10 });
    expect(await watched.look()).toEqual(NOTHING_NEW);
  });

  test('leaves the experiments of untouched files the very same', async () => {
    await using watched = await WatchedFolder.start({
      'a.yaml': experiment(),
      'b.yaml': experiment({ key: 'b' }),
    });
    const before = watched.files.current.byKey.get('b');
    await watched.write({ 'a.yaml': experiment({ weight: 20 }) });
    await watched.lookTwice();
    expect(watched.files.current.byKey.get('b')).toBe(before);
  });

  test('that is half written at a look does not take effect, even where the half is a good file', async () => {
    await using watched = await WatchedFolder.start({ 'a.yaml': experiment() });
    const whole = experiment({ weight: 20 });
    const half = whole.slice(0, whole.indexOf('  - { name: v2'));
    await watched.write({ 'a.yaml': half });
    expect(await watched.look()).toEqual(NOTHING_NEW);
    await watched.write({ 'a.yaml': whole });
    expect(await watched.look()).toEqual(NOTHING_NEW);
    expect(watched.weights).toEqual({ a: 10 });
    expect(await watched.look()).toMatchObject({ changed: ['a.yaml'] });
    expect(watched.weights).toEqual({ a: 20 });
  });

  test('that is bad is refused with its problems, told once, and the last good version stays', async () => {
    await using watched = await WatchedFolder.start({ 'a.yaml': experiment() });
    await watched.write({ 'a.yaml': experiment({ weight: -1 }) });
    expect(await watched.lookTwice()).toEqual({
      changed: [],
      refused: ['a.yaml'],
      problems: [`a.yaml:7:37: variants[1].weight: ${BAD_WEIGHT}`],
    });
    expect(await watched.look()).toEqual(NOTHING_NEW);
    expect(await watched.look()).toEqual(NOTHING_NEW);
    expect(watched.weights).toEqual({ a: 10 });
  });

  test('that is bad in another way is told again', async () => {
    await using watched = await WatchedFolder.start({ 'a.yaml': experiment() });
    await watched.write({ 'a.yaml': 'a: [' });
    expect(await watched.lookTwice()).toMatchObject({ refused: ['a.yaml'] });
    await watched.write({ 'a.yaml': 'a: ]' });
    expect(await watched.look()).toMatchObject({ changed: [] });
    expect((await watched.look()).refused).toEqual(['a.yaml']);
    expect(watched.weights).toEqual({ a: 10 });
  });

  test('of a refused file that leaves it as bad as it was is told again', async () => {
    await using watched = await WatchedFolder.start({ 'a.yaml': experiment() });
    await watched.write({ 'a.yaml': experiment({ weight: -1 }) });
    const { problems } = await watched.lookTwice();
    await watched.write({ 'a.yaml': `${experiment({ weight: -1 })}# now?\n` });
    expect(await watched.lookTwice()).toEqual({ changed: [], refused: ['a.yaml'], problems });
    expect(await watched.look()).toEqual(NOTHING_NEW);
  });

  test('that is bad does not keep the good ones beside it from taking effect', async () => {
    await using watched = await WatchedFolder.start({
      'a.yaml': experiment(),
      'b.yaml': experiment({ key: 'b' }),
      'c.yaml': experiment({ key: 'c' }),
    });
    await watched.write({
      'a.yaml': experiment({ weight: 20 }),
      'b.yaml': experiment({ key: 'b', weight: -1 }),
      'c.yaml': experiment({ key: 'c', weight: 30 }),
    });
    expect(await watched.lookTwice()).toMatchObject({ changed: ['a.yaml', 'c.yaml'], refused: ['b.yaml'] });
    expect(watched.weights).toEqual({ a: 20, b: 10, c: 30 });
  });

  test('that is mended takes effect, and one that is taken back changes nothing', async () => {
    await using watched = await WatchedFolder.start({
      'a.yaml': experiment(),
      'b.yaml': experiment({ key: 'b' }),
    });
    await watched.write({
      'a.yaml': experiment({ weight: -1 }),
      'b.yaml': experiment({ key: 'b', weight: -1 }),
    });
    await watched.lookTwice();
    await watched.write({ 'a.yaml': experiment({ weight: 30 }), 'b.yaml': experiment({ key: 'b' }) });
    await watched.look();
    expect(await watched.look()).toEqual({ changed: ['a.yaml'], refused: [], problems: [] });
    expect(watched.weights).toEqual({ a: 30, b: 10 });
  });

  test('that is refused is not told again because another one is', async () => {
    await using watched = await WatchedFolder.start({
      'a.yaml': experiment(),
      'b.yaml': experiment({ key: 'b' }),
    });
    await watched.write({ 'a.yaml': experiment({ weight: -1 }) });
    expect(await watched.lookTwice()).toMatchObject({ refused: ['a.yaml'] });
    await watched.write({ 'b.yaml': experiment({ key: 'b', weight: -1 }) });
    expect(await watched.lookTwice()).toEqual({
      changed: [],
      refused: ['b.yaml'],
      problems: [`b.yaml:7:37: variants[1].weight: ${BAD_WEIGHT}`],
    });
  });

  test('that names a version which is missing becomes good without an edit once the version is there', async () => {
    const versions = [1, 2];
    await using watched = await WatchedFolder.start({ 'a.yaml': experiment() }, () => versions);
    await watched.write({ 'a.yaml': experiment({ version: 3, weight: 20, phase: 2 }) });
    expect(await watched.lookTwice()).toMatchObject({
      refused: ['a.yaml'],
      problems: [expect.stringContaining('is 3, but model "a" has no such version; the repository has 1, 2')],
    });
    expect(await watched.look()).toEqual(NOTHING_NEW);
    versions.push(3);
    expect(await watched.look()).toEqual({ changed: ['a.yaml'], refused: [], problems: [] });
    expect(watched.weights).toEqual({ a: 20 });
  });
});

describe('an edit of what is running', () => {
  test('that would mix what was counted is refused, and the message offers a new phase', async () => {
    await using watched = await WatchedFolder.start({ 'a.yaml': experiment() });
    await watched.write({ 'a.yaml': experiment({ version: 1, weight: 20 }) });
    expect(await watched.lookTwice()).toEqual({
      changed: [],
      refused: ['a.yaml'],
      problems: [
        'a.yaml:5:1: variants: changed, which needs a new phase: v2 would be version 1 under the results of version 2; ' +
          'a variant of another name can be added as it runs; write phase: 2 to begin one, or take the edit back',
      ],
    });
    expect(watched.weights).toEqual({ a: 10 });

    await watched.write({ 'a.yaml': experiment({ version: 1, weight: 20, phase: 2 }) });
    expect(await watched.lookTwice()).toMatchObject({ changed: ['a.yaml'], refused: [] });
    expect(watched.weights).toEqual({ a: 20 });
  });

  test('into another experiment is refused, with a new phase too', async () => {
    await using watched = await WatchedFolder.start({ 'a.yaml': experiment({ model: 'm' }) });
    await watched.write({ 'a.yaml': experiment({ model: 'n', phase: 2 }) });
    expect((await watched.lookTwice()).problems).toEqual([
      "a.yaml:2:8: model: changed, which an experiment that is running can't follow: another model is another " +
        'experiment; give it a file of its own',
    ]);
    await watched.write({ 'a.yaml': experiment({ key: 'b', model: 'm' }) });
    await watched.look();
    expect((await watched.look()).problems).toEqual([expect.stringMatching(/^a.yaml:1:6: key: changed/)]);
    expect(watched.files.current.byKey.get('a')?.model).toBe('m');
  });

  test('is told from the edit of a draft, which may become anything', async () => {
    await using watched = await WatchedFolder.start({ 'a.yaml': experiment({ status: 'draft' }) });
    await watched.write({ 'a.yaml': experiment({ key: 'b', model: 'n', version: 1 }) });
    expect(await watched.lookTwice()).toMatchObject({ changed: ['a.yaml'], refused: [] });
  });

  test('by way of taking its file away for a while is judged as if it had stayed', async () => {
    await using watched = await WatchedFolder.start({ 'a.yaml': experiment() });
    await rm(watched.path('a.yaml'));
    expect(await watched.lookTwice()).toMatchObject({ changed: ['a.yaml'], refused: [] });
    expect(watched.weights).toEqual({});
    await watched.write({ 'b.yaml': experiment({ version: 1 }) });
    expect((await watched.lookTwice()).problems).toEqual([expect.stringMatching(/needs a new phase/)]);
    await watched.write({ 'b.yaml': experiment({ version: 1, phase: 2 }) });
    expect(await watched.lookTwice()).toMatchObject({ changed: ['b.yaml'], refused: [] });
  });

  test('by way of a draft is judged as if it had stayed', async () => {
    await using watched = await WatchedFolder.start({ 'a.yaml': experiment() });
    for (const version of [2, 1]) {
      await watched.write({ 'a.yaml': experiment({ status: 'draft', version }) });
      expect(await watched.lookTwice()).toMatchObject({ changed: ['a.yaml'], refused: [] });
      expect(watched.weights).toEqual({});
    }
    await watched.write({ 'a.yaml': experiment({ version: 1 }) });
    expect((await watched.lookTwice()).problems).toEqual([expect.stringMatching(/needs a new phase/)]);
    await watched.write({ 'a.yaml': experiment({ version: 1, phase: 2 }) });
    expect(await watched.lookTwice()).toMatchObject({ changed: ['a.yaml'], refused: [] });
  });

  test('by way of a draft, over a restart, leaves the draft a draft, and is judged when it is none', async () => {
    await using watched = await WatchedFolder.start({
      'a.yaml': experiment({ status: 'draft', version: 1 }),
    });
    await watched.files.holdTo(() => Promise.resolve({ definition: experiment(), digest: 'of the file' }));
    expect(watched.weights).toEqual({});
    await watched.write({ 'a.yaml': experiment({ version: 1 }) });
    expect((await watched.lookTwice()).problems).toEqual([expect.stringMatching(/needs a new phase/)]);
    await watched.write({ 'a.yaml': experiment({ weight: 20 }) });
    expect(await watched.lookTwice()).toMatchObject({ changed: ['a.yaml'], refused: [] });
    expect(watched.weights).toEqual({ a: 20 });
  });

  test('in a file that is renamed with it is judged all the same', async () => {
    await using watched = await WatchedFolder.start({ 'a.yaml': experiment() });
    await rm(watched.path('a.yaml'));
    await watched.write({ 'z.yaml': experiment({ version: 1 }) });
    const looks = [await watched.look(), await watched.look()];
    expect(looks.flatMap(({ refused }) => refused)).toEqual(['z.yaml']);
  });
});

describe('a new file', () => {
  test('takes effect when two looks in a row saw the same', async () => {
    await using watched = await WatchedFolder.start({});
    await watched.write({ 'a.yaml': experiment().slice(0, 20) });
    expect(await watched.look()).toEqual(NOTHING_NEW);
    await watched.write({ 'a.yaml': experiment() });
    expect(await watched.lookTwice()).toEqual({ changed: ['a.yaml'], refused: [], problems: [] });
    expect(watched.weights).toEqual({ a: 10 });
  });

  test('that is bad is refused, and serves nothing', async () => {
    await using watched = await WatchedFolder.start({});
    await watched.write({ 'a.yaml': experiment({ weight: -1 }) });
    expect(await watched.lookTwice()).toMatchObject({ changed: [], refused: ['a.yaml'] });
    expect(watched.weights).toEqual({});
  });
});
