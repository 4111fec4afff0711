import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { identityModel } from '../../models/onnx-graph.ts';
import { addingModel } from '../../models/small-models.ts';
import { openRepository } from '../repository/open-repository.ts';
import type { OpenedRepository } from '../repository/open-repository.ts';
import { addingFiles, ensembleConfig } from './ensemble-files.ts';

const ONE = 'one INPUT=in -> OUTPUT=mid';
const TEN = 'ten INPUT=mid -> OUTPUT=out';

/** What is wrong, and where: the end of the reason in the index. */
const CASES: readonly (readonly [string, string, string, Readonly<Record<string, Uint8Array>>?])[] = [
  [
    'a model that no repository has',
    ensembleConfig([ONE, 'eleven INPUT=mid -> OUTPUT=out']),
    '/config.yaml:10:21: ensemble_scheduling.step[1].model_name: is "eleven", which no repository has; there are: both, ',
  ],
  [
    'a version that the model has not',
    ensembleConfig([ONE, 'ten:7 INPUT=mid -> OUTPUT=out']),
    'ensemble_scheduling.step[1].model_version: is 7, but model "ten" has no such version; it has: 1',
  ],
  [
    'the version 0',
    ensembleConfig([ONE, 'ten:0 INPUT=mid -> OUTPUT=out']),
    "ensemble_scheduling.step[1].model_version: is 0; expected a version's number, or -1 for the highest",
  ],
  [
    'a model that could not be loaded',
    ensembleConfig([ONE, 'broken INPUT=mid -> OUTPUT=out']),
    'ensemble_scheduling.step[1].model_name: is "broken", which is not ready (version 1: failed to load',
    { 'broken/1/model.onnx': Buffer.from('text') },
  ],
  [
    'a tensor that no step makes',
    ensembleConfig([ONE, 'ten INPUT=middle -> OUTPUT=out']),
    'ensemble_scheduling.step[1].input_map.INPUT: is "middle", which no step makes and which is no input of the ensemble; there are: "in", "mid", "out"',
  ],
  [
    'a tensor that nothing takes',
    ensembleConfig(['one INPUT=in -> OUTPUT=spare', 'ten INPUT=in -> OUTPUT=out']),
    'ensemble_scheduling.step[0].output_map.OUTPUT: is "spare", which nothing takes; leave it out',
  ],
  [
    'an input that no step takes',
    ensembleConfig([ONE, TEN], { input: ['in', 'also'] }),
    'input[1].name: is "also", which no step takes',
  ],
  [
    'an output that no step makes',
    ensembleConfig([ONE, TEN], { output: ['out', 'result'] }),
    'output[1].name: is "result", which no step makes; they make: "mid", "out"',
  ],
  [
    'an output that is an input',
    ensembleConfig([ONE, TEN], { output: ['out', 'in'] }),
    'output[1].name: is "in", an input of the ensemble; expected what a step makes',
  ],
  [
    'a tensor that two steps make',
    ensembleConfig([ONE, 'ten INPUT=mid -> OUTPUT=out', 'one INPUT=in -> OUTPUT=out']),
    'ensemble_scheduling.step[2].output_map.OUTPUT: is "out", which step 1 makes already; expected a name of its own',
  ],
  [
    'steps that wait for each other',
    ensembleConfig([
      'sum A=in B=back -> SUM=mid',
      'ten INPUT=mid -> OUTPUT=back',
      'one INPUT=mid -> OUTPUT=out',
    ]),
    "ensemble_scheduling.step[0].input_map: makes a circle: the steps 0 and 1 and 2 wait for each other's tensors",
  ],
  [
    'an input that the model has not',
    ensembleConfig([ONE, 'ten INPUTS=mid -> OUTPUT=out']),
    'ensemble_scheduling.step[1].input_map.INPUTS: is no input of model "ten"; it has "INPUT"',
  ],
  [
    'an input of the model that gets nothing',
    ensembleConfig([ONE, 'ten INPUTS=mid -> OUTPUT=out']),
    'ensemble_scheduling.step[1].input_map: has nothing for input "INPUT" of model "ten"; expected all of "INPUT"',
  ],
  [
    'an output that the model has not',
    ensembleConfig([ONE, 'ten INPUT=mid -> RESULT=out']),
    'ensemble_scheduling.step[1].output_map.RESULT: is no output of model "ten"; it has "OUTPUT"',
  ],
  [
    'types that do not meet',
    ensembleConfig([ONE, 'words INPUT=mid -> OUTPUT=out']),
    'ensemble_scheduling.step[1].input_map.INPUT: takes "mid", but output "OUTPUT" of "one" is FP32 [-1,2] and input "INPUT" of "words" is BYTES [-1,2]',
    { 'words/1/model.onnx': identityModel('BYTES', ['batch', 2]) },
  ],
  [
    'shapes that do not meet',
    ensembleConfig([ONE, 'wide INPUT=mid -> OUTPUT=out']),
    'takes "mid", but output "OUTPUT" of "one" is FP32 [-1,2] and input "INPUT" of "wide" is FP32 [-1,4]',
    { 'wide/1/model.onnx': identityModel('FP32', ['batch', 4]) },
  ],
  [
    'an output declared as what it is not',
    ensembleConfig(['one INPUT=in -> OUTPUT=mid', 'wide INPUT=mid -> OUTPUT=out']),
    'makes "out", but output "OUTPUT" of "wide" is FP32 [-1,4] and the output of the ensemble is FP32 [-1,2]',
    { 'wide/1/model.onnx': identityModel('FP32', ['batch', 4]) },
  ],
  [
    'more rows than a step takes',
    ensembleConfig([ONE, TEN], { maxBatchSize: 64 }),
    `ensemble_scheduling.step[0].model_name: is "one", whose max_batch_size is 32; expected at least the ensemble's own, 64`,
  ],
  [
    'instances of its own',
    ensembleConfig([ONE, TEN], { more: 'instance_group: [{ count: 2 }]' }),
    "instance_group: says nothing of an ensemble: the steps' models have instances",
  ],
  [
    'a backend beside the steps',
    ensembleConfig([ONE, TEN]).replace('platform: ensemble', 'platform: onnxruntime_onnx'),
    'platform: is "onnxruntime_onnx"; expected platform: ensemble, as ensemble_scheduling is there',
  ],
];

describe('an ensemble is not served, and its reason has the line, with', () => {
  let opened: OpenedRepository;
  beforeAll(async () => {
    const ensembles = CASES.map(([, config], index) => [`case${index}/config.yaml`, config] as const);
    opened = await openRepository({
      ...addingFiles(),
      ...Object.fromEntries(CASES.map((_, index) => [`case${index}/1/.gitkeep`, ''])),
      ...Object.fromEntries(ensembles),
      ...Object.fromEntries(CASES.flatMap(([, , , more]) => Object.entries(more ?? {}))),
      'self/config.yaml': ensembleConfig([ONE, 'self in=mid -> out=out']),
      'self/1/.gitkeep': '',
    });
  });
  afterAll(() => opened[Symbol.asyncDispose]());

  test.each(CASES.map(([what, , reason], index) => [what, `case${index}`, reason] as const))(
    '%s',
    (_, model, reason) => {
      expect(opened.repository.model(model)?.version(1)).toBeUndefined();
      expect(opened.stateOf(model, 1)).toMatch(
        new RegExp(`^UNAVAILABLE .*/${model}/config\\.yaml:\\d+:\\d+: `),
      );
      expect(opened.stateOf(model, 1)).toContain(reason);
    },
  );

  test('itself as a step', () => {
    expect(opened.stateOf('self', 1)).toContain(
      "ensemble_scheduling.step: lead in a circle: self -> self; an ensemble can't be a step of itself",
    );
  });

  test('nothing wrong: that one is served beside them', () => {
    expect(opened.stateOf('both', 1)).toBe('READY');
  });
});

test('two ensembles that are steps of each other are both refused with the way round', async () => {
  await using opened = await openRepository({
    'one/1/model.onnx': addingModel(1),
    'a/config.yaml': ensembleConfig([ONE, 'b in=mid -> out=out']),
    'a/1/.gitkeep': '',
    'b/config.yaml': ensembleConfig([ONE, 'a in=mid -> out=out']),
    'b/1/.gitkeep': '',
  });
  expect(opened.stateOf('a', 1)).toContain('lead in a circle: a -> b -> a');
  expect(opened.stateOf('b', 1)).toContain('lead in a circle: b -> a -> b');
});

test('a config.pbtxt as it is written for Triton is read', async () => {
  const config = `
name: "both"
platform: "ensemble"
max_batch_size: 8
input [ { name: "in" data_type: TYPE_FP32 dims: [ 2 ] } ]
output [ { name: "out" data_type: TYPE_FP32 dims: [ 2 ] } ]
ensemble_scheduling {
  step [
    { model_name: "one" model_version: -1
      input_map { key: "INPUT" value: "in" } output_map { key: "OUTPUT" value: "mid" } },
    { model_name: "ten" model_version: 1
      input_map { key: "INPUT" value: "mid" } output_map { key: "OUTPUT" value: "out" } }
  ]
}
`;
  await using opened = await openRepository({
    'one/1/model.onnx': addingModel(1),
    'ten/1/model.onnx': addingModel(10),
    'both/1/.gitkeep': '',
    'both/config.pbtxt': config,
  });
  expect(opened.stateOf('both', 1)).toBe('READY');
});
