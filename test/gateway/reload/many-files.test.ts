import { expect, test } from 'vitest';
import { WatchedFolder } from './watched-folder.ts';

const FILES = 300;

/** An experiment on a part of one namespace. */
function part(index: number, from: number, to: number, comment = ''): string {
  return `\
key: e${index}
model: m
status: running
hashAttribute: x-user-id
control: v1
namespace: { name: all, range: [${from}, ${to}] }
variants:
  - { name: v1, version: 1, weight: 90 }
  - { name: v2, version: 2, weight: 10 }
${comment}`;
}

const nameOf = (index: number): string => `e${String(index).padStart(3, '0')}.yaml`;

test(`of ${FILES} files on one model that are touched at once all take effect but the one that clashes, at once`, async () => {
  const indices = Array.from({ length: FILES }, (_, index) => index);
  const texts = (comment: string): Record<string, string> =>
    Object.fromEntries(
      indices.map((index) => [nameOf(index), part(index, index / FILES, (index + 1) / FILES, comment)]),
    );
  await using watched = await WatchedFolder.start(texts(''));
  await watched.write({ ...texts('# touched\n'), [nameOf(0)]: part(0, 0, 1.5 / FILES) });
  const { changed, refused, problems } = await watched.lookTwice();
  expect([changed.length, refused]).toEqual([FILES - 1, [nameOf(0)]]);
  expect(problems[0]).toContain('overlap');
});

test('two that change places go together, though neither can go first', async () => {
  await using watched = await WatchedFolder.start({ 'a.yaml': part(1, 0, 0.5), 'b.yaml': part(2, 0.5, 1) });
  await watched.write({
    'a.yaml': part(1, 0.5, 1).replace('namespace', 'phase: 2\nnamespace'),
    'b.yaml': part(2, 0, 0.5).replace('namespace', 'phase: 2\nnamespace'),
  });
  expect(await watched.lookTwice()).toMatchObject({ changed: ['a.yaml', 'b.yaml'], refused: [] });
});

test('one that takes the live experiment away from two that are completed is refused: both winners would answer', async () => {
  const completed = (key: string): string => `\
key: ${key}
model: m
status: completed
winner: v2
control: v1
variants:
  - { name: v1, version: 1, weight: 90 }
  - { name: v2, version: 2, weight: 10 }
`;
  await using watched = await WatchedFolder.start({
    'a.yaml': part(1, 0, 0.5),
    'b.yaml': completed('b'),
    'c.yaml': completed('c'),
  });
  await watched.write({ 'a.yaml': part(1, 0, 0.5).replace('running', 'draft') });
  const { changed, refused, problems } = await watched.lookTwice();
  expect([changed, refused]).toEqual([[], ['a.yaml']]);
  expect(problems[0]).toContain('whose winner answers');
});
