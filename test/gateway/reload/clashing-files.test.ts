import { rm } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { NOTHING_NEW, NOT_APART, WatchedFolder, experiment } from './watched-folder.ts';

describe('two files that clash', () => {
  test('have the new one refused, where it stands, and the other stays', async () => {
    await using watched = await WatchedFolder.start({ 'b.yaml': experiment({ key: 'b' }) });
    await watched.write({ 'c.yaml': experiment({ key: 'c', model: 'b' }) });
    expect(await watched.lookTwice()).toEqual({
      changed: [],
      refused: ['c.yaml'],
      problems: [`c.yaml:3:9: status: is running on model "b", where "b" is running, ${NOT_APART} (b.yaml)`],
    });
    expect(await watched.look()).toEqual(NOTHING_NEW);
    expect(watched.weights).toEqual({ b: 10 });
  });

  test('have the edited one refused, where it stands, though it is the first by name', async () => {
    await using watched = await WatchedFolder.start({
      'a.yaml': experiment({ model: 'b', status: 'draft' }),
      'b.yaml': experiment({ key: 'b' }),
    });
    await watched.write({ 'a.yaml': experiment({ model: 'b' }) });
    expect(await watched.lookTwice()).toEqual({
      changed: [],
      refused: ['a.yaml'],
      problems: [`a.yaml:3:9: status: is running on model "b", where "b" is running, ${NOT_APART} (b.yaml)`],
    });
    expect(watched.weights).toEqual({ b: 10 });
  });

  test('over a key are refused too', async () => {
    await using watched = await WatchedFolder.start({ 'b.yaml': experiment({ key: 'b' }) });
    await watched.write({ 'c.yaml': experiment({ key: 'b', model: 'c' }) });
    expect(await watched.lookTwice()).toMatchObject({
      refused: ['c.yaml'],
      problems: ['c.yaml:1:6: key: "b" is taken (b.yaml)'],
    });
  });

  test('do not keep the good edits beside them from taking effect', async () => {
    await using watched = await WatchedFolder.start({
      'a.yaml': experiment(),
      'b.yaml': experiment({ key: 'b' }),
    });
    await watched.write({
      'a.yaml': experiment({ weight: 20 }),
      'b.yaml': experiment({ key: 'b', weight: 30 }),
      'c.yaml': experiment({ key: 'c', model: 'b' }),
    });
    expect(await watched.lookTwice()).toMatchObject({ changed: ['a.yaml', 'b.yaml'], refused: ['c.yaml'] });
    expect(watched.weights).toEqual({ a: 20, b: 30 });
  });

  test('are served once the one in the way is gone, without an edit', async () => {
    await using watched = await WatchedFolder.start({ 'b.yaml': experiment({ key: 'b' }) });
    await watched.write({ 'c.yaml': experiment({ key: 'c', model: 'b', weight: 40 }) });
    await watched.lookTwice();
    await rm(watched.path('b.yaml'));
    await watched.look();
    await watched.look();
    expect(watched.weights).toEqual({ c: 40 });
  });
});

test('two edits that only go together take effect together: one starts what the other stops', async () => {
  await using watched = await WatchedFolder.start({
    'a.yaml': experiment({ model: 'm', status: 'draft' }),
    'b.yaml': experiment({ key: 'b', model: 'm' }),
  });
  await watched.write({
    'a.yaml': experiment({ model: 'm' }),
    'b.yaml': experiment({ key: 'b', model: 'm', status: 'draft' }),
  });
  expect(await watched.lookTwice()).toEqual({ changed: ['a.yaml', 'b.yaml'], refused: [], problems: [] });
  expect(watched.files.current.byModel.get('m')?.candidates[0].key).toBe('a');
});

test('two edits that only go together take effect together, though a third one is refused', async () => {
  await using watched = await WatchedFolder.start({
    'a.yaml': experiment({ model: 'm', status: 'draft' }),
    'b.yaml': experiment({ key: 'b', model: 'm' }),
    'c.yaml': experiment({ key: 'c' }),
  });
  await watched.write({
    'a.yaml': experiment({ model: 'm' }),
    'b.yaml': experiment({ key: 'b', model: 'm', status: 'draft' }),
    'd.yaml': experiment({ key: 'd', model: 'c' }),
  });
  expect(await watched.lookTwice()).toMatchObject({ changed: ['a.yaml', 'b.yaml'], refused: ['d.yaml'] });
  expect(watched.files.current.byModel.get('m')?.candidates[0].key).toBe('a');
});
