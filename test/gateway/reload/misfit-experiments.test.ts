import { expect, test } from 'vitest';
import type { Described } from '../../../backends/signature-misfit.ts';
import { refusals } from '../../documents/refusals.ts';
import { NOTHING_NEW, WatchedFolder, experiment } from './watched-folder.ts';

const taking = (size: number): Described => ({
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, size] }],
  outputs: [],
  image: undefined,
});

/** Version 3 takes what the others don't. */
const describe = (_: string, { version }: { readonly version?: number | undefined }): Described =>
  taking(version === 3 ? 5 : 4);

const FAULT =
  'a.yaml:7:5: variants[1]: v2 takes x FP32 [-1, 5], and not x FP32 [-1, 4], as v1 does: callers send both the same requests, and it would turn theirs ' +
  'away; expected a version with the inputs of the control, or an experiment on a model of its own';

function watch(text: string) {
  return WatchedFolder.start({ 'a.yaml': text }, () => [1, 2, 3], describe);
}

test('an edit to a variant that can’t take the control’s requests is refused where the variant stands, and the last good one stays', async () => {
  await using watched = await watch(experiment());
  await watched.write({ 'a.yaml': experiment({ version: 3, phase: 2 }) });
  expect(await watched.look()).toEqual(NOTHING_NEW);
  expect(await watched.look()).toEqual({ changed: [], refused: ['a.yaml'], problems: [FAULT] });
  expect(watched.weights).toEqual({ a: 10 });
});

test('one that sends nobody there is taken', async () => {
  await using watched = await watch(experiment());
  await watched.write({ 'a.yaml': experiment({ version: 3, weight: 0, phase: 2 }) });
  await watched.look();
  expect(await watched.look()).toMatchObject({ changed: ['a.yaml'] });
});

test('at the start it is refused too', async () => {
  await using watched = await watch(experiment({ version: 3 }));
  const lines = await refusals(() => watched.files.refuseMisfits(() => Promise.resolve(undefined)));
  expect(lines.map((line) => line.slice(line.indexOf('a.yaml:7')))).toEqual([FAULT]);
});

test('one that was served as it stands goes on, and an edit of it is still held to it', async () => {
  await using watched = await watch(experiment({ version: 3 }));
  const [{ digest, definition } = { digest: '', definition: '' }] = watched.files.written;
  await watched.files.refuseMisfits(() => Promise.resolve({ digest, definition }));
  expect(watched.weights).toEqual({ a: 10 });
  await watched.write({ 'a.yaml': experiment({ version: 3, weight: 20 }) });
  await watched.look();
  expect(await watched.look()).toMatchObject({ problems: [FAULT] });
  await watched.write({ 'a.yaml': experiment({ version: 3, status: 'paused' }) });
  await watched.look();
  expect(await watched.look()).toMatchObject({ changed: ['a.yaml'] });
  expect(watched.files.misfits()).toMatchObject([{ experiment: 'a', isFault: false }]);
});
