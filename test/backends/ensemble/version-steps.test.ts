import { expect, test } from 'vitest';
import { addingModel } from '../../models/small-models.ts';
import { modelConfigJson } from '../../../backends/repository/model-config-json.ts';
import type { Servable } from '../../../backends/servable.ts';
import { openRepository, settle } from '../repository/open-repository.ts';
import { addingFiles, ensembleConfig } from './ensemble-files.ts';

/** `ensemble_scheduling` alone, of steps as {@link ensembleConfig} takes them. */
function stepsAlone(...steps: readonly string[]): string {
  const whole = ensembleConfig(steps);
  return whole.slice(whole.indexOf('ensemble_scheduling'));
}

/** `both` adds 11; its second version has steps of its own, which add 100. */
function twoVersions(own: string, file = 'config.yaml'): Readonly<Record<string, string | Uint8Array>> {
  return {
    ...addingFiles(),
    'hundred/1/model.onnx': addingModel(100),
    [`both/2/${file}`]: own,
  };
}

async function sumOf(version: Servable): Promise<number | undefined> {
  const answer = await version.infer({
    inputs: [{ name: 'in', datatype: 'FP32', shape: [1, 2], data: new Float32Array(2) }],
    deadlineMs: Infinity,
  });
  const [sum] = answer.outputs.map(({ data }) => Number(data[0]));
  answer.release();
  return sum;
}

test('a version whose folder has steps of its own runs those, and the others the model’s', async () => {
  await using opened = await openRepository(twoVersions(stepsAlone('hundred INPUT=in -> OUTPUT=out')));
  const [first, second] = [opened.ready('both', 1), opened.ready('both', 2)];
  expect([await sumOf(first), await sumOf(second)]).toEqual([11, 100]);
  expect(first.about.digest).not.toBe(second.about.digest);
  const stepsIn = (version: Servable): unknown => modelConfigJson(version.about);
  expect(stepsIn(first)).toMatchObject({
    ensemble_scheduling: { step: [{ model_name: 'one' }, { model_name: 'ten' }] },
  });
  expect(stepsIn(second)).toMatchObject({ ensemble_scheduling: { step: [{ model_name: 'hundred' }] } });
});

test('protobuf text does as well', async () => {
  const own = `ensemble_scheduling { step { model_name: "hundred" model_version: -1
    input_map { key: "INPUT" value: "in" } output_map { key: "OUTPUT" value: "out" } } }`;
  await using opened = await openRepository(twoVersions(own, 'config.pbtxt'));
  expect(await sumOf(opened.ready('both', 2))).toBe(100);
});

test('an edit of a version’s steps is taken over for it alone', async () => {
  await using opened = await openRepository(twoVersions(stepsAlone('hundred INPUT=in -> OUTPUT=out')));
  const before = opened.ready('both', 1);
  await opened.root.write({ 'both/2/config.yaml': stepsAlone('ten INPUT=in -> OUTPUT=out') });
  await settle(opened);
  expect(await sumOf(opened.ready('both', 2))).toBe(10);
  expect(opened.ready('both', 1)).toBe(before);
});

test.each([
  [
    'another field',
    'max_batch_size: 4',
    /both\/2\/config\.yaml:1:17: max_batch_size: is an unknown key; known here: ensemble_scheduling/,
  ],
  [
    'a tensor that nobody makes',
    stepsAlone('hundred INPUT=none -> OUTPUT=out'),
    /both\/2\/config\.yaml:3:\d+: ensemble_scheduling\.step\[0\]\.input_map\.INPUT: is "none", which no step makes/,
  ],
  [
    'an output that no step makes',
    stepsAlone('hundred INPUT=in -> OUTPUT=other'),
    /output\[0\]\.name: is "out", which no step makes/,
  ],
  [
    'a step that leads back',
    stepsAlone('both in=in -> out=out'),
    /config\.yaml:\d+:\d+: ensemble_scheduling\.step: lead in a circle: both -> both/,
  ],
])('%s in it fails that version, with the line, and leaves the others', async (_, own, reason) => {
  await using opened = await openRepository(twoVersions(own));
  expect(opened.stateOf('both', 2)).toMatch(/^UNAVAILABLE/);
  expect(opened.stateOf('both', 2)).toMatch(reason);
  expect(await sumOf(opened.ready('both', 1))).toBe(11);
});

test('versions of two ensembles that are each other’s steps are both refused, rather than waiting for each other', async () => {
  await using opened = await openRepository({
    ...twoVersions(stepsAlone('outer:2 in=in -> out=out')),
    'outer/config.yaml': ensembleConfig(['one INPUT=in -> OUTPUT=out']),
    'outer/1/.gitkeep': '',
    'outer/2/config.yaml': stepsAlone('both:2 in=in -> out=out'),
  });
  expect(opened.stateOf('both', 2)).toMatch(/lead in a circle: both -> outer -> both/);
  expect(opened.stateOf('outer', 2)).toMatch(/lead in a circle: outer -> both -> outer/);
  expect(await sumOf(opened.ready('outer', 1))).toBe(1);
});

test('with explicit control a load brings what the steps of each version need', async () => {
  await using opened = await openRepository(twoVersions(stepsAlone('hundred INPUT=in -> OUTPUT=out')), {
    control: 'explicit',
  });
  await opened.repository.load('both');
  expect([await sumOf(opened.ready('both', 1)), await sumOf(opened.ready('both', 2))]).toEqual([11, 100]);
});
