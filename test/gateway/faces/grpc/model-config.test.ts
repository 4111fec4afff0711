import { expect, test } from 'vitest';
import { identityModel } from '../../../models/onnx-graph.ts';
import { experimentFile, startGateway } from '../../running-gateway.ts';
import { GrpcClient, inferRequest } from './grpc-client.ts';

test('ModelConfig says over gRPC all that it says over HTTP', async () => {
  await using gateway = await startGateway({
    grpc: true,
    files: {
      'models/row/1/model.onnx': identityModel('FP32', ['batch', 4]),
      'models/row/config.pbtxt': `
        max_batch_size: 8
        input { name: "INPUT" data_type: TYPE_FP32 dims: 2 dims: 2 reshape { shape: 4 } }
        output { name: "OUTPUT" data_type: TYPE_FP32 dims: 4 }
        dynamic_batching { max_queue_delay_microseconds: 1005 }
        model_warmup { name: "zeros" batch_size: 1 inputs { key: "INPUT" value { data_type: TYPE_FP32 dims: 2 dims: 2 zero_data: true } } }
        optimization { priority: PRIORITY_MAX }
        metric_tags { key: "team" value: "shop" }
      `,
      'models/both/1/README': 'its steps are those of config.yaml',
      'models/both/config.yaml': `
        platform: ensemble
        max_batch_size: 8
        input: [{ name: X, data_type: TYPE_FP32, dims: [2, 2] }]
        output: [{ name: Y, data_type: TYPE_FP32, dims: [4] }]
        ensemble_scheduling:
          step: [{ model_name: row, model_version: -1, input_map: { INPUT: X }, output_map: { OUTPUT: Y } }]
      `,
    },
  });
  using client = new GrpcClient(gateway.server.bound.grpc ?? '');
  const configOf = async (name: string) => (await client.call('ModelConfig', { name })).message.config;
  expect(await configOf('row')).toMatchObject({
    max_batch_size: 8,
    scheduling_choice: 'dynamic_batching',
    dynamic_batching: { max_queue_delay_microseconds: '1005' },
    input: [{ name: 'INPUT', dims: ['2', '2'], reshape: { shape: ['4'] } }],
    model_warmup: [
      { name: 'zeros', batch_size: 1, inputs: { INPUT: { dims: ['2', '2'], zero_data: true } } },
    ],
    optimization: { priority: 'PRIORITY_MAX' },
    metric_tags: { team: 'shop' },
  });
  expect(await configOf('both')).toMatchObject({
    scheduling_choice: 'ensemble_scheduling',
    ensemble_scheduling: {
      step: [
        { model_name: 'row', model_version: '-1', input_map: { INPUT: 'X' }, output_map: { OUTPUT: 'Y' } },
      ],
    },
  });
});

test('each answer of a stream has the prediction id that its outcome is sent with', async () => {
  await using gateway = await startGateway({
    grpc: true,
    files: {
      'models/simple/1/model.onnx': identityModel('FP32', ['batch', 4]),
      'models/simple/2/model.onnx': identityModel('FP32', ['batch', 4]),
      'experiments/simple.yaml': experimentFile({
        key: 'simple-test',
        model: 'simple',
        hashAttribute: { json: 'parameters.user' },
        metrics: [{ name: 'clicked', kind: 'proportion' }],
      }),
    },
  });
  using client = new GrpcClient(gateway.server.bound.grpc ?? '');
  const stream = client.stream('ModelStreamInfer');
  const ids: unknown[] = [];
  const ended = new Promise((resolve) => stream.on('end', resolve));
  stream.on('data', ({ infer_response: answer }: { infer_response: Answered }) => {
    ids.push(answer.parameters['x-prediction-id']?.string_param);
  });
  for (const user of ['ada', 'grace'])
    stream.write(inferRequest({ parameters: { user: { string_param: user } } }));
  stream.end();
  await ended;
  expect(new Set(ids).size).toBe(2);
  const sent = await fetch(gateway.url('/v1/outcomes'), {
    method: 'POST',
    body: JSON.stringify(ids.map((id) => ({ prediction_id: id, metric: 'clicked', value: 1 }))),
  });
  expect(await sent.json()).toEqual({ accepted: 2, rejected: [] });
});

interface Answered {
  readonly parameters: Readonly<Record<string, { readonly string_param?: string }>>;
}
