import { join } from 'node:path';
import { expect, test } from 'vitest';
import { formatProblem } from '../../../documents/problem.ts';
import { compareExperiments } from '../../../gateway/config/compare-experiments.ts';
import { refusals } from '../../documents/refusals.ts';
import { signalbox } from '../../e2e/cli.ts';
import { identityModel } from '../../models/onnx-graph.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import { experiment } from '../reload/watched-folder.ts';

const NOW_MS = Date.parse('2026-11-22T12:00:00Z');

test('each change is classed, where it stands, and told apart by whether it is taken', async () => {
  await using folder = await temporaryFolder({
    'old/a.yaml': experiment(),
    'old/b.yaml': experiment({ key: 'b' }),
    'old/gone.yaml': experiment({ key: 'gone' }),
    'new/a.yaml': experiment({ weight: 20, version: 1 }),
    'new/renamed.yaml': experiment({ key: 'b', version: 1, phase: 2 }),
    'new/fresh.yaml': experiment({ key: 'fresh' }),
    'new/bad.yaml': 'key: [',
  });
  const edits = await compareExperiments(join(folder.path, 'old'), join(folder.path, 'new'), NOW_MS);
  const shown = edits.map((edit) => ({
    where: formatProblem(edit).replace(`${folder.path}/new/`, ''),
    class: edit.class,
    isRefused: edit.isRefused,
  }));
  expect(shown).toEqual([
    {
      where: expect.stringMatching(
        /^a.yaml:5:1: variants: changed, which needs a new phase: v2 would be version 1/,
      ) as string,
      class: 'new_phase',
      isRefused: true,
    },
    { where: 'renamed.yaml:8:8: phase: changed: it begins phase 2', class: 'safe', isRefused: false },
    {
      where: expect.stringMatching(/^renamed.yaml:5:1: variants: changed: /) as string,
      class: 'new_phase',
      isRefused: false,
    },
  ]);
});

test('what is running has to be readable', async () => {
  await using folder = await temporaryFolder({ 'new/a.yaml': experiment(), 'old.yaml': 'key: [' });
  const compare = (old: string) =>
    refusals(() => compareExperiments(join(folder.path, old), join(folder.path, 'new'), NOW_MS));
  expect(await compare('nope')).toEqual([expect.stringContaining("nope: can't be read: ENOENT")]);
  expect((await compare('old.yaml')).length).toBeGreaterThan(0);
});

test('signalbox validate --against shows what changes, and fails where a running gateway refuses it', async () => {
  await using folder = await temporaryFolder({
    'signalbox.yaml':
      'listen: { http: 127.0.0.1:0 }\nmodels: { repository: models }\nexperiments: experiments\n',
    'models/a/1/model.onnx': identityModel('FP32', ['batch', 1]),
    'models/a/2/model.onnx': identityModel('FP32', ['batch', 1]),
    'experiments/a.yaml': experiment({ weight: 20 }),
    'weights.yaml': experiment(),
    'version.yaml': experiment({ version: 1, weight: 20 }),
  });
  const against = (old: string) =>
    signalbox('validate', join(folder.path, 'signalbox.yaml'), '--against', join(folder.path, old));
  await using safe = against('weights.yaml');
  await using refused = against('version.yaml');
  expect(await safe.ended).toBe(0);
  expect(safe.stdout()).toMatch(
    /^safe: .*a.yaml:5:1: variants: changed: v2 goes from weight 10 to 20; it opens an epoch\n/,
  );
  expect(await refused.ended).toBe(1);
  expect(refused.stdout()).toMatch(/^new phase: .*a.yaml:5:1: variants: changed, which needs a new phase/);
  expect(refused.stdout()).toContain('but the edits that a running gateway refuses');
});
