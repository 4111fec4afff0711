import { expect, test } from 'vitest';
import type { Described } from '../../../backends/signature-misfit.ts';
import { readImageSpec } from '../../../backends/image/image-spec.ts';
import { parseYaml } from '../../../documents/yaml-document.ts';
import { readExperiment } from '../../../experiments/definition.ts';
import { variantMisfits } from '../../../gateway/signatures/variant-misfits.ts';

const tensor = (name: string, size: number) => ({ name, datatype: 'FP32' as const, shape: [-1, size] });

/** By version: the control's, one of other inputs, one of other outputs, one of another size of its output. */
const DESCRIBED: ReadonlyMap<number | undefined, Described> = new Map([
  [1, { inputs: [tensor('x', 4)], outputs: [tensor('y', 2)], image: undefined }],
  [2, { inputs: [tensor('x', 5)], outputs: [tensor('y', 2)], image: undefined }],
  [3, { inputs: [tensor('x', 4)], outputs: [tensor('z', 2)], image: undefined }],
  [4, { inputs: [tensor('x', 4)], outputs: [tensor('y', 3)], image: undefined }],
]);

/** How uploads become inputs, which is the model's own and the same for all of its versions. */
const IMAGE = readImageSpec({}).spec;

function misfits(version: number, more = '', weight = 10, status = 'running', image?: Described['image']) {
  const text = `key: a
model: m
status: ${status}
control: v1
variants:
  - { name: v1, version: 1, weight: 90 }
  - { name: new, version: ${version}, weight: ${weight} }
${more}`;
  const experiment = readExperiment(parseYaml(text, 'a.yaml'), undefined);
  return variantMisfits(experiment, (_, variant) => {
    const described = DESCRIBED.get(variant.version);
    return described && { ...described, image };
  }).map(({ part, isFault, message }) => ({ part, isFault, message }));
}

const ROLLOUT = `rollout: { steps: [{ setWeight: 5 }, { pause: {} }] }\n`;

test('inputs that differ are a fault, and what differs and what would be right is said', () => {
  expect(misfits(2)).toEqual([
    {
      part: 'inputs',
      isFault: true,
      message:
        'new takes x FP32 [-1, 5], and not x FP32 [-1, 4], as v1 does: callers send both the same requests, and it would turn theirs away; ' +
        'expected a version with the inputs of the control, or an experiment on a model of its own',
    },
  ]);
});

test.each<[string, string, number, string]>([
  ['by a rollout', ROLLOUT, 0, 'running'],
  ['by name', 'forced: { ada: new }\n', 0, 'running'],
  ['by a rule', 'match: [{ headers: { x-team: { exact: ml } }, variant: new }]\n', 0, 'running'],
])('they are one too where units get there %s alone', (_, more, weight, status) => {
  expect(misfits(2, more, weight, status)).toMatchObject([{ part: 'inputs', isFault: true }]);
});

test.each<[string, string, number, string]>([
  ['nobody is sent there', '', 0, 'running'],
  ['it only gets copies', 'mirror: { variant: new }\n', 0, 'running'],
  ['it is a draft', '', 10, 'draft'],
  ['it is paused', '', 10, 'paused'],
])('they are told only where %s', (_, more, weight, status) => {
  expect(misfits(2, more, weight, status)).toMatchObject([{ part: 'inputs', isFault: false }]);
});

test('an experiment that tells requests apart by their inputs may have them differ', () => {
  const more = 'match: [{ inputs: { x: { shape: [-1, 5] } }, variant: new }]\n';
  expect(misfits(2, more, 0)).toEqual([]);
});

test('nothing is said where all get the winner, nor of what nobody describes', () => {
  expect(misfits(2, 'winner: new\n', 10, 'completed')).toEqual([]);
  expect(misfits(9)).toEqual([]);
});

test('an output that is missing is told, and is a fault of what is rolled out: its rollout would end', () => {
  expect(misfits(3)).toMatchObject([
    {
      part: 'outputs',
      isFault: false,
      message: expect.stringContaining('new gives z FP32 [-1, 2], and not y') as string,
    },
  ]);
  expect(misfits(3, ROLLOUT, 0)).toMatchObject([
    {
      part: 'outputs',
      isFault: true,
      message: expect.stringContaining('taken back before it begins') as string,
    },
  ]);
});

test('an output of another size is told, and never a fault', () => {
  expect(misfits(4, ROLLOUT, 0)).toMatchObject([
    { part: 'sizes', isFault: false, message: expect.stringContaining('new gives y FP32 [-1, 3]') as string },
  ]);
});

test('where both take images, other inputs are told, and no fault: an image becomes what each of them takes', () => {
  expect(misfits(2, '', 10, 'running', IMAGE)).toMatchObject([
    {
      part: 'tensors',
      isFault: false,
      message: expect.stringContaining(
        'callers who send tensors, and not images, would be turned away',
      ) as string,
    },
  ]);
});
