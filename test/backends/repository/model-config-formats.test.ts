import { describe, expect, test } from 'vitest';
import { formatProblem } from '../../../documents/problem.ts';
import { parseTextProto } from '../../../documents/text-proto.ts';
import { parseYaml } from '../../../documents/yaml-document.ts';
import { ModelConfigMessage } from '../../../backends/repository/model-config-proto.ts';
import { ModelConfigSchema, readModelConfig } from '../../../backends/repository/model-config.ts';
import type { ModelConfig } from '../../../backends/repository/model-config.ts';
import { refusals } from '../../documents/refusals.ts';

function readText(text: string): ModelConfig {
  return readModelConfig(parseTextProto(text, ModelConfigMessage, 'config.pbtxt'), 'digits');
}

function readYaml(text: string): ModelConfig {
  return readModelConfig(parseYaml(text, 'config.yaml'), 'digits');
}

test('the fields of a config.yaml are those of a config.pbtxt, and signalbox', () => {
  const yaml = Object.keys(ModelConfigSchema.properties);
  expect(yaml.toSorted()).toEqual([...Object.keys(ModelConfigMessage.fields), 'signalbox'].toSorted());
});

test('both formats make the same configuration', () => {
  const fromText = readText(`
    name: "digits"
    platform: "onnxruntime_onnx"
    max_batch_size: 16
    version_policy { latest { num_versions: 2 } }
    input [ { name: "INPUT", data_type: TYPE_FP32, dims: [ 3, -1 ] } ]
    output [ { name: "OUTPUT" data_type: TYPE_STRING dims: 1 label_filename: "names.txt" } ]
    dynamic_batching {
      preferred_batch_size: [ 4, 8 ]
      max_queue_delay_microseconds: 100
      preserve_ordering: true
      priority_levels: 2
      default_priority_level: 2
      default_queue_policy { timeout_action: DELAY default_timeout_microseconds: 5000 max_queue_size: 7 }
      priority_queue_policy { key: 1 value { timeout_action: REJECT, allow_timeout_override: true } }
    }
    instance_group [ { count: 2 kind: KIND_CPU }, { kind: KIND_AUTO, gpus: [ 0, 1 ] } ]
    default_model_filename: "net.onnx"
    parameters { key: "intra_op_thread_count" value { string_value: "3" } }
    parameters: {
      key: "signalbox"
      value: { string_value: "{\\"labels\\": \\"l.txt\\", \\"batching\\": {\\"target_latency_ms\\": 20}, \\"image\\": {\\"crop\\": 8}}" }
    }
    model_warmup {
      name: "w" batch_size: 4 count: 2
      inputs { key: "INPUT" value { data_type: TYPE_FP32 dims: [3, 5] random_data: true } }
    }
    response_cache { enable: true }
  `);
  const fromYaml = readYaml(`
name: digits
platform: onnxruntime_onnx
max_batch_size: 16
version_policy: { latest: { num_versions: 2 } }
input: [{ name: INPUT, data_type: TYPE_FP32, dims: [3, -1] }]
output: [{ name: OUTPUT, data_type: TYPE_STRING, dims: [1], label_filename: names.txt }]
dynamic_batching:
  preferred_batch_size: [4, 8]
  max_queue_delay_microseconds: 100
  preserve_ordering: true
  priority_levels: 2
  default_priority_level: 2
  default_queue_policy: { timeout_action: DELAY, default_timeout_microseconds: 5000, max_queue_size: 7 }
  priority_queue_policy: { 1: { timeout_action: REJECT, allow_timeout_override: true } }
instance_group: [{ count: 2, kind: KIND_CPU }, { kind: KIND_AUTO, gpus: [0, 1] }]
default_model_filename: net.onnx
parameters: { intra_op_thread_count: { string_value: "3" } }
signalbox: { labels: l.txt, batching: { target_latency_ms: 20 }, image: { crop: 8 } }
model_warmup:
  - name: w
    batch_size: 4
    count: 2
    inputs: { INPUT: { data_type: TYPE_FP32, dims: [3, 5], random_data: true } }
response_cache: { enable: true }
`);
  expect(fromText).toEqual(fromYaml);
  expect(fromText).toMatchObject({
    maxBatchSize: 16,
    versionPolicy: { kind: 'latest', count: 2 },
    instances: 3,
    instanceGroups: [
      { kind: 'KIND_CPU', count: 2, gpus: [] },
      { kind: 'KIND_AUTO', count: 1, gpus: [0, 1] },
    ],
    threads: 3,
    modelFilename: 'net.onnx',
    inputs: [{ name: 'INPUT', datatype: 'FP32', dims: [3, -1] }],
    outputs: [{ name: 'OUTPUT', datatype: 'BYTES', dims: [1] }],
    batching: {
      enabled: true,
      preferredBatchSizes: [4, 8],
      maxQueueDelayMs: 0.1,
      preserveOrdering: true,
      priorityLevels: 2,
      defaultPriorityLevel: 2,
      defaultQueuePolicy: { timeoutAction: 'DELAY', defaultTimeoutMs: 5, maxQueueSize: 7 },
      targetLatencyMs: 20,
    },
    warmup: [
      {
        name: 'w',
        rows: 4,
        count: 2,
        inputs: [{ name: 'INPUT', datatype: 'FP32', dims: [3, 5], data: { kind: 'random' } }],
      },
    ],
    responseCache: true,
    labelsFile: 'l.txt',
    warnings: [],
  });
  expect(fromText.batching.priorityQueuePolicies).toEqual(
    new Map([
      [1, { timeoutAction: 'REJECT', defaultTimeoutMs: 0, allowTimeoutOverride: true, maxQueueSize: 0 }],
    ]),
  );
});

describe('what is known but not supported is a warning with its line and what happens instead', () => {
  test('in config.pbtxt', () => {
    const { warnings } = readText(`
      optimization { cuda { graphs: true } graph { level: 1 } }
      sequence_batching { max_sequence_idle_microseconds: 5000000 }
      input { name: "a" data_type: TYPE_FP32 dims: 1 format: FORMAT_NCHW }
      instance_group { kind: KIND_MODEL passive: true }
      parameters { key: "execution_mode" value { string_value: "1" } }
    `);
    expect(warnings.map(formatProblem)).toEqual([
      expect.stringMatching(
        /^config\.pbtxt:2:27: optimization\.cuda: is not supported: it is for TensorRT only$/,
      ),
      expect.stringMatching(/^config\.pbtxt:2:50: optimization\.graph: is not supported: /),
      expect.stringMatching(
        /^config\.pbtxt:3:25: sequence_batching: is not supported: each request stands for itself$/,
      ),
      expect.stringMatching(/^config\.pbtxt:4:62: input\[0\]\.format: is not supported: /),
      expect.stringMatching(/^config\.pbtxt:5:50: instance_group\[0\]\.passive: is not supported: /),
      'config.pbtxt:5:30: instance_group[0].kind: is KIND_MODEL, which is taken as KIND_AUTO',
      'config.pbtxt:6:48: parameters.execution_mode: is not supported: the gateway sets up ONNX Runtime itself',
    ]);
  });

  test('in config.yaml', () => {
    const { warnings } = readYaml('max_batch_size: 4\nmetric_tags: { a: b }\nruntime: libx.so\n');
    expect(warnings.map(formatProblem)).toEqual([
      'config.yaml:2:1: metric_tags: is not supported: metrics have the labels of docs/metrics.md',
      'config.yaml:3:10: runtime: is not supported: ONNX Runtime is part of the gateway',
    ]);
  });

  test('of accelerators TensorRT is known, on GPUs and as it is', () => {
    const read = readYaml(`
optimization:
  execution_accelerators:
    gpu_execution_accelerator:
      - { name: tensorrt, parameters: { precision_mode: FP16 } }
      - { name: auto_io_binding }
    cpu_execution_accelerator: [{ name: openvino }]
`);
    expect(read.tensorrt).toBe(true);
    const at = 'optimization.execution_accelerators';
    expect(read.warnings.map(formatProblem)).toEqual([
      `config.yaml:5:27: ${at}.gpu_execution_accelerator[0].parameters: are not supported: TensorRT has the runtime's own settings`,
      `config.yaml:6:9: ${at}.gpu_execution_accelerator[1]: is "auto_io_binding", which is not supported: tensorrt is, without it CUDA or WebGPU run it`,
      `config.yaml:7:33: ${at}.cpu_execution_accelerator[0]: is "openvino", which is not supported: the runtime's own CPU provider runs it`,
    ]);
  });

  test('but not where it has the default that machines write out', () => {
    expect(
      readYaml(`
runtime: ""
optimization: { priority: PRIORITY_DEFAULT, cuda: { graphs: false }, execution_accelerators: {} }
input: [{ name: a, data_type: TYPE_FP32, dims: [1], format: FORMAT_NONE, optional: false }]
model_transaction_policy: { decoupled: false }
metric_tags: {}
`).warnings,
    ).toEqual([]);
  });
});

describe('what is wrong is refused in the same words in both formats', () => {
  const mistakes: readonly [text: string, yaml: string, message: string][] = [
    [
      'max_batch_size: -1',
      'max_batch_size: -1',
      '1:17: max_batch_size: is -1; expected a whole number from 0 (the model does not batch) to 65536',
    ],
    [
      'optimization { cuda { grafs: true } }',
      'optimization: { cuda: { grafs: true } }',
      'optimization.cuda.grafs: is an unknown key; known here: graphs, busy_wait_events, graph_spec, output_copy_stream',
    ],
    [
      'version_policy { }',
      'version_policy: {}',
      'version_policy: has 0 policies; expected one of latest, all and specific',
    ],
    [
      'version_policy { latest { } all { } }',
      'version_policy: { latest: {}, all: {} }',
      'version_policy: has 2 policies; expected one of latest, all and specific',
    ],
    [
      'dynamic_batching { priority_levels: 2 }',
      'dynamic_batching: { priority_levels: 2 }',
      'dynamic_batching.default_priority_level: is 0; expected a level from 1 to priority_levels, 2',
    ],
    [
      'dynamic_batching { priority_queue_policy { key: 3 value { } } }',
      'dynamic_batching: { priority_queue_policy: { 3: {} } }',
      'dynamic_batching.priority_queue_policy.3: is for level 3; expected a level from 1 to priority_levels, 0',
    ],
    [
      'input { name: "a" data_type: TYPE_FP32 dims: [2, -1] reshape { shape: [-1] } }',
      'input: [{ name: a, data_type: TYPE_FP32, dims: [2, -1], reshape: { shape: [-1] } }]',
      'input[0].reshape.shape: is [-1]; expected as many elements as dims, [2, -1], with -1 at the same places',
    ],
    [
      'input { name: "a" data_type: TYPE_BF16 dims: [1] }',
      'input: [{ name: a, data_type: TYPE_BF16, dims: [1] }]',
      'input[0].data_type: is TYPE_BF16, which ONNX Runtime has no kernels for; convert the tensor',
    ],
    [
      'input { name: "a" dims: [1] }',
      'input: [{ name: a, dims: [1] }]',
      'input[0].data_type: is missing; expected one of TYPE_BOOL, TYPE_UINT8, TYPE_UINT16, TYPE_UINT32, ' +
        'TYPE_UINT64, TYPE_INT8, TYPE_INT16, TYPE_INT32, TYPE_INT64, TYPE_FP16, TYPE_FP32, TYPE_FP64, TYPE_STRING, ' +
        'TYPE_BF16',
    ],
    [
      'default_model_filename: "../other/model.onnx"',
      'default_model_filename: ../other/model.onnx',
      `default_model_filename: is "../other/model.onnx"; expected the name of a file in the version's own folder`,
    ],
    [
      'output { name: "a" data_type: TYPE_FP32 dims: 1 label_filename: "/etc/passwd" }',
      'output: [{ name: a, data_type: TYPE_FP32, dims: [1], label_filename: /etc/passwd }]',
      `output[0].label_filename: is "/etc/passwd"; expected the name of a file in the model's own folder`,
    ],
    [
      'model_warmup { batch_size: 1 inputs { key: "a" value { data_type: TYPE_FP32 } } }',
      'model_warmup: [{ batch_size: 1, inputs: { a: { data_type: TYPE_FP32 } } }]',
      'model_warmup[0].inputs.a: has 0 kinds of data; expected one of zero_data, random_data and input_data_file',
    ],
    [
      'max_batch_size: 2 model_warmup { batch_size: 3 inputs { key: "a" value { data_type: TYPE_FP32 zero_data: true } } }',
      'max_batch_size: 2\nmodel_warmup: [{ batch_size: 3, inputs: {} }]',
      'model_warmup[0].batch_size: is 3; expected at most 2, as max_batch_size is 2',
    ],
    [
      'platform: "tensorrt_plan"',
      'platform: tensorrt_plan',
      'platform: is "tensorrt_plan", a TensorRT plan, which holds for one GPU only; expected onnxruntime_onnx: serve the ' +
        'ONNX model that it was built from, or leave it on the server that runs it now and route to that as an ' +
        '`upstream` variant (docs/export.md)',
    ],
    [
      'backend: "python"',
      'backend: python',
      `backend: is "python", a model in Python code, for Triton's python backend; expected onnxruntime: export what it `,
    ],
    [
      'input { name: "i" data_type: TYPE_FP32 dims: 1 } output { name: "o" data_type: TYPE_FP32 dims: 1 } ensemble_scheduling { step { model_name: "a" input_map { key: "x" value: "y" } input_map { key: "z" value: "i" } output_map { key: "x" value: "o" } } }',
      'input: [{ name: i, data_type: TYPE_FP32, dims: [1] }]\noutput: [{ name: o, data_type: TYPE_FP32, dims: [1] }]\nensemble_scheduling: { step: [{ model_name: a, input_map: { x: y, z: i }, output_map: { x: o } }] }',
      'ensemble_scheduling.step[0].input_map.x: is "y", which no step makes and which is no input of the ensemble; there are: "i", "o"',
    ],
  ];

  test.each(mistakes)('%s', async (text, yaml, message) => {
    const inText = await refusals(() => readText(text));
    const inYaml = await refusals(() => readYaml(yaml));
    if (!message.includes('unknown key')) expect(inText).toHaveLength(1);
    expect(inText[0]).toContain(message);
    expect(inYaml[0]).toContain(message);
  });

  test('in the JSON of the parameter signalbox too, at the place of the parameter', async () => {
    const parameter = (json: string): string =>
      `parameters {\n  key: "signalbox" value { string_value: ${JSON.stringify(json)} }\n}`;
    expect(await refusals(() => readText(parameter('{"label": "l.txt"}')))).toEqual([
      'config.pbtxt:2:42: signalbox.label: is an unknown key; known here: labels, image, batching',
    ]);
    expect((await refusals(() => readText(parameter('{"labels": ')))).at(0)).toMatch(
      /^config\.pbtxt:2:42: parameters\.signalbox\.string_value: is not the JSON text of the fields under signalbox: /,
    );
    expect((await refusals(() => readText(parameter('{"labels": "a", "labels": "b"}')))).at(0)).toMatch(
      /the key "labels" is there twice/,
    );
  });
});
