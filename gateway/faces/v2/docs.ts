import { Type } from 'typebox';
import { RELEASE } from '../../release.ts';
import { Bytes, ROUTED_ERRORS, ROUTED_HEADERS, ROUTING_PARAMETERS, json } from '../openapi/common-docs.ts';
import type { OperationDocs } from '../openapi/operation.ts';
import { Data, Datatype, InferAnswer, Name, Shape } from '../openapi/tensor-docs.ts';

const tag = 'Open Inference Protocol';

const InferInput = Type.Object(
  {
    name: Name,
    shape: Shape,
    datatype: Datatype,
    parameters: Type.Optional(
      Type.Object(
        { binary_data_size: Type.Optional(Type.Integer({ minimum: 0 })) },
        { additionalProperties: true },
      ),
    ),
    data: Type.Optional(Data),
  },
  {
    $id: 'InferInput',
    description: 'Its elements stand in `data`, or behind the JSON, `binary_data_size` bytes of them.',
  },
);

const InferRequest = Type.Object(
  {
    id: Type.Optional(Type.String({ description: 'Comes back with the answer.' })),
    parameters: Type.Optional(
      Type.Object(
        {
          priority: Type.Optional(Type.Integer({ minimum: 0, description: "0: the model's default." })),
          timeout: Type.Optional(
            Type.Integer({ minimum: 0, description: "Microseconds; 0: the model's default." }),
          ),
          binary_data_output: Type.Optional(
            Type.Boolean({ description: 'Whether outputs that say nothing of it come as binary data.' }),
          ),
        },
        { additionalProperties: true },
      ),
    ),
    inputs: Type.Array(InferInput),
    outputs: Type.Optional(
      Type.Array(
        Type.Object({
          name: Name,
          parameters: Type.Optional(
            Type.Object(
              {
                binary_data: Type.Optional(Type.Boolean()),
                classification: Type.Optional(
                  Type.Integer({ minimum: 0, description: 'So many of the best classes in its place.' }),
                ),
              },
              { additionalProperties: true },
            ),
          ),
        }),
        { description: 'Left out: all of them.' },
      ),
    ),
  },
  { $id: 'InferRequest' },
);

const ZERO = [
  0, 0, 0.3, 0.8, 0.5, 0, 0, 0, 0, 0, 0.8, 0.9, 0.6, 0.9, 0.3, 0, 0, 0.2, 0.9, 0.1, 0, 0.6, 0.5, 0, 0, 0.3,
  0.7, 0, 0, 0.5, 0.5, 0, 0, 0.3, 0.5, 0, 0, 0.5, 0.5, 0, 0, 0.3, 0.7, 0, 0.1, 0.7, 0.4, 0, 0, 0.1, 0.8, 0.3,
  0.6, 0.7, 0, 0, 0, 0, 0.4, 0.8, 0.6, 0, 0, 0,
];

const IMAGE = { name: 'image', shape: [1, 1, 8, 8], datatype: 'FP32', data: ZERO };

const BINARY_HEADER = 'Inference-Header-Content-Length';

export const INFER_DOCS: OperationDocs = {
  id: 'infer',
  tag,
  summary: 'Run a model',
  description:
    'Without a version the call goes where the experiment on the model sends it. ' +
    `Binary tensors stand behind the JSON, whose length \`${BINARY_HEADER}\` says; 0 says that the body is the only input's own bytes. ` +
    'Any content type is taken, gzip and deflate too.',
  parameters: [
    ...ROUTING_PARAMETERS,
    {
      in: 'header',
      name: BINARY_HEADER,
      description: 'Bytes of JSON before the binary data; left out: all of it is JSON.',
      schema: Type.Integer({ minimum: 0 }),
    },
  ],
  body: {
    description: 'The inputs.',
    required: true,
    content: {
      ...json(InferRequest, {
        digit: {
          summary: 'A scan of a zero, for the demo',
          value: { id: 'a', inputs: [IMAGE] },
        },
        classes: {
          summary: 'The two best classes in place of the scores',
          value: {
            inputs: [IMAGE],
            outputs: [{ name: 'logits', parameters: { classification: 2 } }],
          },
        },
      }),
      'application/octet-stream': { schema: Bytes },
    },
  },
  answers: {
    200: {
      description: 'The outputs.',
      headers: {
        ...ROUTED_HEADERS,
        [BINARY_HEADER]: {
          description: 'Bytes of JSON before the binary data, where there is any.',
          schema: Type.Integer(),
        },
      },
      content: {
        ...json(InferAnswer, {
          classes: {
            summary: 'Classes as `value:index:label`',
            value: {
              model_name: 'digits',
              model_version: '2',
              outputs: [
                {
                  name: 'logits',
                  datatype: 'BYTES',
                  shape: [1, 2],
                  data: ['13.429043:0:zero', '0.097683:6:six'],
                },
              ],
            },
          },
        }),
        'application/octet-stream': { schema: Bytes },
      },
    },
  },
  errors: [
    'invalid_request',
    'invalid_input',
    'invalid_version',
    'pinned_override',
    'unsupported',
    ...ROUTED_ERRORS,
  ],
};

export const SERVER_DOCS: OperationDocs = {
  id: 'serverMetadata',
  tag,
  summary: 'What serves here',
  answers: {
    200: {
      description: 'Its name, its release and the extensions that it speaks.',
      content: json(
        Type.Object(
          { name: Type.String(), version: Type.String(), extensions: Type.Array(Type.String()) },
          { $id: 'ServerMetadata' },
        ),
        {
          demo: {
            summary: 'The demo',
            value: {
              name: 'signalbox',
              version: RELEASE,
              extensions: ['classification', 'binary_tensor_data'],
            },
          },
        },
      ),
    },
  },
};

export const LIVE_DOCS: OperationDocs = {
  id: 'serverLive',
  tag,
  summary: 'Whether the process lives',
  answers: { 200: { description: 'It does.' } },
};

export const READY_DOCS: OperationDocs = {
  id: 'serverReady',
  tag,
  summary: 'Whether traffic should be sent here',
  answers: {
    200: { description: 'It should.' },
    503: { description: 'It starts, or it stops.' },
  },
};

const TensorMetadata = Type.Object(
  {
    name: Name,
    datatype: Datatype,
    shape: Type.Array(Type.Integer({ minimum: -1 }), { description: '-1: any size.' }),
  },
  { $id: 'TensorMetadata' },
);

export const METADATA_DOCS: OperationDocs = {
  id: 'modelMetadata',
  tag,
  summary: 'What a model takes and gives',
  description:
    'Of the version in the path, or of the highest that is ready; of a model that lives elsewhere, what its server says.',
  answers: {
    200: {
      description: 'Its inputs and outputs.',
      content: json(
        Type.Object(
          {
            name: Name,
            versions: Type.Array(Type.String(), { description: 'Those that are ready here.' }),
            platform: Type.String(),
            inputs: Type.Array(TensorMetadata),
            outputs: Type.Array(TensorMetadata),
          },
          { $id: 'ModelMetadata' },
        ),
        {
          digits: {
            summary: "The demo's digits",
            value: {
              name: 'digits',
              versions: ['1', '2'],
              platform: 'onnxruntime_onnx',
              inputs: [{ name: 'image', datatype: 'FP32', shape: [-1, 1, 8, 8] }],
              outputs: [{ name: 'logits', datatype: 'FP32', shape: [-1, 10] }],
            },
          },
        },
      ),
    },
  },
  errors: ['unknown_model', 'invalid_version', 'model_unavailable'],
};

export const MODEL_READY_DOCS: OperationDocs = {
  id: 'modelReady',
  tag,
  summary: 'Whether a model can answer',
  answers: { 200: { description: 'It can.' } },
  errors: ['unknown_model', 'invalid_version', 'model_unavailable'],
};

export const MODEL_CONFIG_DOCS: OperationDocs = {
  id: 'modelConfig',
  tag,
  summary: "A model's configuration, complete",
  answers: {
    200: {
      description:
        "Triton's ModelConfig in JSON: as it was written, with what was left out filled in from the graph.",
      content: json(
        Type.Object(
          {
            name: Name,
            platform: Type.String(),
            backend: Type.String(),
            max_batch_size: Type.Integer({ minimum: 0 }),
            input: Type.Array(Type.Record(Type.String(), Type.Unknown())),
            output: Type.Array(Type.Record(Type.String(), Type.Unknown())),
          },
          { $id: 'ModelConfig', additionalProperties: true },
        ),
      ),
    },
  },
  errors: ['unknown_model', 'invalid_version', 'model_unavailable'],
};

const Duration = Type.Object(
  { count: Type.Integer(), ns: Type.Integer({ description: 'Nanoseconds, over all of them.' }) },
  { $id: 'Duration' },
);

const execution = { compute_input: Duration, compute_infer: Duration, compute_output: Duration };

const Statistics = Type.Object(
  {
    model_stats: Type.Array(
      Type.Object({
        name: Name,
        version: Type.String(),
        last_inference: Type.Integer({ description: 'Milliseconds since 1970; 0: never.' }),
        inference_count: Type.Integer({ description: 'Rows.' }),
        execution_count: Type.Integer({ description: 'Runs of the model.' }),
        inference_stats: Type.Object({
          success: Duration,
          fail: Duration,
          queue: Duration,
          ...execution,
          cache_hit: Duration,
          cache_miss: Duration,
        }),
        response_stats: Type.Record(Type.String(), Type.Unknown()),
        batch_stats: Type.Array(Type.Object({ batch_size: Type.Integer(), ...execution })),
        memory_usage: Type.Array(Type.Unknown()),
      }),
    ),
  },
  { $id: 'ModelStatistics' },
);

export const STATISTICS_DOCS: OperationDocs = {
  id: 'modelStatistics',
  tag,
  summary: 'What a model has done since it was loaded',
  answers: {
    200: {
      description:
        'A line for each ready version; of a model that lives elsewhere, for each of its variants: what its server answered through this gateway.',
      content: json(Statistics),
    },
  },
  errors: ['unknown_model', 'invalid_version', 'model_unavailable'],
};

export const ALL_STATISTICS_DOCS: OperationDocs = {
  ...STATISTICS_DOCS,
  id: 'allModelStatistics',
  summary: 'What all models have done since they were loaded',
  errors: [],
};
