import { describe, expect, test } from 'vitest';
import { InvalidDocuments, formatProblem } from '../../../documents/problem.ts';
import { parseYaml } from '../../../documents/yaml-document.ts';
import { DEFAULT_MODEL_CONFIG, readModelConfig } from '../../../backends/repository/model-config.ts';
import type { ModelConfig } from '../../../backends/repository/model-config.ts';

function read(text: string): ModelConfig {
  return readModelConfig(parseYaml(text, 'config.yaml'), 'digits');
}

function problemsOf(text: string): readonly string[] {
  try {
    read(text);
  } catch (error) {
    if (error instanceof InvalidDocuments) return error.problems.map(formatProblem);
    throw error;
  }
  return [];
}

test('a file that says nothing gives the defaults', () => {
  expect(read('{}')).toEqual(DEFAULT_MODEL_CONFIG);
  expect(DEFAULT_MODEL_CONFIG).toEqual({
    backend: { kind: 'onnxruntime' },
    maxBatchSize: undefined,
    batching: {
      enabled: true,
      preferredBatchSizes: [],
      maxQueueDelayMs: 0,
      preserveOrdering: false,
      priorityLevels: 0,
      defaultPriorityLevel: 0,
      defaultQueuePolicy: {
        timeoutAction: 'REJECT',
        defaultTimeoutMs: 0,
        allowTimeoutOverride: false,
        maxQueueSize: 0,
      },
      priorityQueuePolicies: new Map(),
      targetLatencyMs: undefined,
    },
    versionPolicy: { kind: 'all' },
    instances: 1,
    instanceGroups: [],
    threads: undefined,
    modelFilename: 'model.onnx',
    inputs: undefined,
    outputs: undefined,
    warmup: [],
    responseCache: false,
    tensorrt: false,
    labelsFile: undefined,
    outputLabelsFiles: new Map(),
    image: undefined,
    written: {},
    warnings: [],
  });
});

test('every field is read', () => {
  const config = read(`
name: digits
max_batch_size: 16
dynamic_batching: { preferred_batch_size: [16, 4, 8], max_queue_delay_microseconds: 2500 }
instance_group: [{ count: 3, kind: KIND_CPU }]
parameters: { intra_op_thread_count: { string_value: "2" } }
signalbox:
  labels: labels.txt
  image: { resize: 256, crop: 224 }
`);
  expect(config).toMatchObject({
    maxBatchSize: 16,
    batching: { preferredBatchSizes: [4, 8, 16], maxQueueDelayMs: 2.5 },
    instances: 3,
    threads: 2,
    labelsFile: 'labels.txt',
    image: { resize: 256, crop: [224, 224] },
  });
});

test('a number of threads of "0", as Triton’s own examples have it, is the default', () => {
  expect(read('parameters: { intra_op_thread_count: { string_value: "0" } }').threads).toBeUndefined();
});

test('an image preprocessing has its defaults filled in', () => {
  expect(read('signalbox: { image: {} }').image).toEqual({
    resize: undefined,
    interpolation: 'bilinear',
    crop: undefined,
    color: 'rgb',
    scale: 1 / 255,
    mean: [0, 0, 0],
    std: [1, 1, 1],
    layout: 'nchw',
    topK: 5,
    activation: 'softmax',
  });
});

test('one mean or standard deviation counts for every channel', () => {
  expect(read('signalbox: { image: { mean: [0.5], std: [0.25] } }').image).toMatchObject({
    mean: [0.5, 0.5, 0.5],
    std: [0.25, 0.25, 0.25],
  });
  expect(read('signalbox: { image: { color: gray, mean: [0.5] } }').image?.mean).toEqual([0.5]);
});

describe('each mistake is told with its line, its column and what would be right', () => {
  const mistakes: readonly [what: string, text: string, problems: readonly unknown[]][] = [
    [
      'an unknown key',
      'max_batch_size: 4\nmax_batchsize: 8\n',
      [
        expect.stringMatching(
          /^config\.yaml:2:16: max_batchsize: is an unknown key; known here: name, platform, .*, signalbox$/,
        ),
      ],
    ],
    [
      'another name than that of the folder',
      'name: digit\n',
      [`config.yaml:1:7: name: is "digit"; expected the name of the model's folder, "digits"`],
    ],
    [
      'a batch size that is not a number',
      'max_batch_size: "8"\n',
      [
        'config.yaml:1:17: max_batch_size: is "8"; expected a whole number from 0 (the model does not batch) to 65536',
      ],
    ],
    [
      'a negative batch size',
      'max_batch_size: -1\n',
      [
        'config.yaml:1:17: max_batch_size: is -1; expected a whole number from 0 (the model does not batch) to 65536',
      ],
    ],
    [
      'a preferred size above the largest',
      'max_batch_size: 8\ndynamic_batching:\n  preferred_batch_size: [4, 16]\n',
      [
        'config.yaml:3:29: dynamic_batching.preferred_batch_size[1]: is 16; expected at most max_batch_size, 8',
      ],
    ],
    [
      'a fraction of a microsecond',
      'dynamic_batching:\n  max_queue_delay_microseconds: 0.5\n',
      [
        'config.yaml:2:33: dynamic_batching.max_queue_delay_microseconds: is 0.5; expected a whole number of ' +
          'microseconds from 0 to 60000000',
      ],
    ],
    [
      'no instances',
      'instance_group: [{ count: 0 }]\n',
      ['config.yaml:1:27: instance_group[0].count: is 0; expected a whole number of instances from 1 to 64'],
    ],
    [
      'a kind of instance that there is not',
      'instance_group: [{ kind: KIND_TPU }]\n',
      [
        'config.yaml:1:26: instance_group[0].kind: is "KIND_TPU"; expected one of KIND_AUTO, KIND_CPU, KIND_GPU, ' +
          'KIND_MODEL',
      ],
    ],
    [
      'no threads',
      'parameters:\n  intra_op_thread_count: { string_value: "-1" }\n',
      [
        'config.yaml:2:42: parameters.intra_op_thread_count.string_value: is "-1"; expected a number of threads in ' +
          'quotes, from "1" to "999", or "0" for the default',
      ],
    ],
    [
      'threads as a number',
      'parameters:\n  intra_op_thread_count: { string_value: 2 }\n',
      ['config.yaml:2:42: parameters.intra_op_thread_count.string_value: is 2; expected a text in quotes'],
    ],
    [
      'labels outside the folder of the model',
      'signalbox:\n  labels: ../secret.txt\n',
      [
        `config.yaml:2:11: signalbox.labels: is "../secret.txt"; expected the name of a file in the model's own folder`,
      ],
    ],
    [
      'means that are not as many as the channels',
      'signalbox:\n  image: { color: gray, mean: [0.1, 0.2, 0.3], std: [1, 0, 1] }\n',
      [
        'config.yaml:2:25: signalbox.image.mean: has 3 numbers; color gray has 1 channels',
        'config.yaml:2:48: signalbox.image.std: has 3 numbers; color gray has 1 channels',
        'config.yaml:2:48: signalbox.image.std: has a 0, and the pixels are divided by it',
      ],
    ],
    [
      'a size that is not a size',
      'signalbox:\n  image: { resize: [256], crop: 0 }\n',
      [
        'config.yaml:2:12: signalbox.image.resize: is a list of 1; expected the shorter side in pixels, or ' +
          '[height, width], each from 1 to 8192',
        'config.yaml:2:33: signalbox.image.crop: is 0; expected the side of the centre crop in pixels, or ' +
          '[height, width], each from 1 to 8192',
      ],
    ],
    [
      'several mistakes at once',
      'max_batch_size: lots\ninstance_group: [{ count: many }]\n',
      [
        'config.yaml:1:17: max_batch_size: is "lots"; expected a whole number from 0 (the model does not batch) to 65536',
        'config.yaml:2:27: instance_group[0].count: is "many"; expected a whole number of instances from 1 to 64',
      ],
    ],
  ];

  test.each(mistakes)('%s', (_, text, problems) => {
    expect(problemsOf(text)).toEqual(problems);
  });
});
