import { expect, test } from 'vitest';
import { modelConfigJson } from '../../../backends/repository/model-config-json.ts';
import { identityModel } from '../../models/onnx-graph.ts';
import { addingModel, identitiesModel } from '../../models/small-models.ts';
import { openRepository } from './open-repository.ts';

test('what a configuration leaves out is filled in from the graph', async () => {
  await using opened = await openRepository({ 'm/1/model.onnx': addingModel(1) });
  expect(modelConfigJson(opened.ready('m', 1).about)).toEqual({
    name: 'm',
    platform: 'onnxruntime_onnx',
    backend: 'onnxruntime',
    version_policy: { all: {} },
    max_batch_size: 32,
    input: [{ name: 'INPUT', data_type: 'TYPE_FP32', dims: [2] }],
    output: [{ name: 'OUTPUT', data_type: 'TYPE_FP32', dims: [2], label_filename: '' }],
    dynamic_batching: {
      preferred_batch_size: [],
      max_queue_delay_microseconds: 0,
      preserve_ordering: false,
      priority_levels: 0,
      default_priority_level: 0,
    },
    instance_group: [{ name: 'm_0', kind: 'KIND_AUTO', count: 1, gpus: [] }],
    default_model_filename: 'model.onnx',
    parameters: {},
    model_warmup: [],
    response_cache: { enable: false },
  });
});

test('a model that does not batch has its whole shape and no batching', async () => {
  await using opened = await openRepository({ 'm/1/model.onnx': identityModel('BYTES', [1, 4]) });
  const json = modelConfigJson(opened.ready('m', 1).about);
  expect(json).toMatchObject({
    max_batch_size: 0,
    input: [{ name: 'INPUT', data_type: 'TYPE_STRING', dims: [1, 4] }],
  });
  expect(json).not.toHaveProperty('dynamic_batching');
});

test('given back as the configuration of a load, it makes the same model', async () => {
  await using opened = await openRepository(
    {
      'm/1/model.onnx': addingModel(1),
      'm/2/model.onnx': addingModel(2),
      'm/names.txt': 'a\nb\n',
      'm/config.pbtxt': `
        max_batch_size: 16
        version_policy { latest { num_versions: 1 } }
        output { name: "OUTPUT" data_type: TYPE_FP32 dims: 2 label_filename: "names.txt" }
        dynamic_batching {
          preferred_batch_size: 4 max_queue_delay_microseconds: 1005 priority_levels: 2 default_priority_level: 1
          priority_queue_policy { key: 2 value { timeout_action: DELAY } }
        }
        instance_group { count: 2 kind: KIND_CPU }
        parameters { key: "mine" value { string_value: "kept" } }
        parameters { key: "signalbox" value { string_value: "{\\"batching\\": {\\"target_latency_ms\\": 20}}" } }
        model_warmup { batch_size: 2 inputs { key: "INPUT" value { data_type: TYPE_FP32 dims: 2 zero_data: true } } }
        metric_tags { key: "a" value: "b" }
      `,
    },
    { control: 'explicit', load: ['m'] },
  );
  const json = modelConfigJson(opened.ready('m', 2).about);
  expect(json).toMatchObject({
    parameters: {
      mine: { string_value: 'kept' },
      signalbox: { string_value: '{"batching":{"target_latency_ms":20}}' },
    },
    metric_tags: { a: 'b' },
    dynamic_batching: { max_queue_delay_microseconds: 1005 },
    output: [{ label_filename: 'names.txt' }],
  });
  expect(opened.ready('m', 2).about.labels).toEqual(['a', 'b']);
  const before = opened.ready('m', 2);
  await opened.repository.load('m', { config: JSON.stringify(json) });
  expect(opened.ready('m', 2)).not.toBe(before);
  expect(modelConfigJson(opened.ready('m', 2).about)).toEqual(json);
});

test('declared tensors must fit the graph, and every misfit is told', async () => {
  const columns = [
    { input: 'a', output: 'x', datatype: 'FP32', shape: ['batch', 3] },
    { input: 'b', output: 'y', datatype: 'INT64', shape: ['batch', 'any'] },
  ] as const;
  const reasonOf = async (config: string): Promise<string | undefined> => {
    await using opened = await openRepository({
      'm/1/model.onnx': identitiesModel(columns),
      'm/config.pbtxt': config,
    });
    return opened.stateOf('m', 1)?.replace(/^(\w+) failed to load \S+: /, '$1 ');
  };
  expect(
    await reasonOf(
      'input { name: "a" data_type: TYPE_FP16 dims: 4 } input { name: "c" data_type: TYPE_INT8 dims: 1 }',
    ),
  ).toBe(
    'UNAVAILABLE the configuration does not fit the graph: input "a" is FP16, but the graph has FP32; input "a" has the ' +
      'dims [4], but the graph has [3] after the batch dimension; input "c" is not in the graph, which has "a", "b"; ' +
      'input "b" of the graph is not declared; expected all of "a", "b"',
  );
  expect(await reasonOf('output { name: "x" data_type: TYPE_FP32 dims: -1 }')).toBe(
    'UNAVAILABLE the configuration does not fit the graph: output "x" has the dims [-1], but the graph has [3] after ' +
      'the batch dimension',
  );
});

test('a size may be fixed that the graph leaves free, and of the outputs those that are declared are served', async () => {
  await using opened = await openRepository({
    'm/1/model.onnx': identitiesModel([
      { input: 'a', output: 'x', datatype: 'FP32', shape: ['batch', 'any'] },
      { input: 'b', output: 'y', datatype: 'FP32', shape: ['batch', 1] },
    ]),
    'm/config.pbtxt': `
      input [ { name: "b" data_type: TYPE_FP32 dims: 1 }, { name: "a" data_type: TYPE_FP32 dims: 2 } ]
      output { name: "y" data_type: TYPE_FP32 dims: 1 }
    `,
  });
  const version = opened.ready('m', 1);
  const ask = (width: number): ReturnType<typeof version.infer> =>
    version.infer({
      inputs: [
        { name: 'a', datatype: 'FP32', shape: [1, width], data: new Float32Array(width) },
        { name: 'b', datatype: 'FP32', shape: [1, 1], data: Float32Array.of(5) },
      ],
      deadlineMs: Infinity,
    });
  const answer = await ask(2);
  expect(answer.outputs.map(({ name, data }) => [name, [...data]])).toEqual([['y', [5]]]);
  answer.release();
  await expect(ask(3)).rejects.toMatchObject({ fault: 'invalid_input' });
});

test('dims with as many sizes as the graph, and no max_batch_size, make a model that does not batch', async () => {
  await using opened = await openRepository({
    'm/1/model.onnx': addingModel(1),
    'm/config.pbtxt': 'input { name: "INPUT" data_type: TYPE_FP32 dims: [-1, 2] }',
  });
  expect(opened.ready('m', 1).about.maxBatchSize).toBe(0);
});

test('instances on a GPU fail where there is none', async () => {
  await using opened = await openRepository({
    'm/1/model.onnx': addingModel(1),
    'm/config.pbtxt': 'instance_group { kind: KIND_GPU gpus: 0 }',
  });
  expect(opened.stateOf('m', 1)).toMatch(/instance_group asks for KIND_GPU, but no GPU can be used/);
});

test('a known field without effect is told of once, when the configuration is read', async () => {
  await using opened = await openRepository({
    'm/1/model.onnx': addingModel(1),
    'm/config.pbtxt': 'metric_tags { key: "a" value: "b" }',
  });
  await opened.repository.refresh();
  await opened.repository.refresh();
  expect(opened.events.onWarning.mock.calls).toEqual([
    [
      'm',
      `${opened.root.path}/m/config.pbtxt:1:13: metric_tags: is not supported: metrics have the labels of docs/metrics.md`,
    ],
  ]);
});
