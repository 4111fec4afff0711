import { Type } from 'typebox';
import { json } from '../openapi/common-docs.ts';
import type { OperationDocs, ParameterDocs } from '../openapi/operation.ts';
import { TorchserveErrorSchema } from './docs.ts';

const tag = 'TorchServe';
const errorBody = TorchserveErrorSchema;

const Status = Type.Object({ status: Type.String() }, { $id: 'TorchserveStatus' });

/** An example of what was done. */
function status(text: string) {
  return json(Status, { done: { summary: 'Done', value: { status: text } } });
}

const SYNCHRONOUS: ParameterDocs = {
  in: 'query',
  name: 'synchronous',
  description: 'Whether the answer waits until it is done.',
  schema: Type.Boolean({ default: false }),
};

export const LIST_DOCS: OperationDocs = {
  id: 'torchserveModels',
  tag,
  summary: 'The models that can answer',
  parameters: [
    {
      in: 'query',
      name: 'limit',
      description: 'Models on a page.',
      schema: Type.Integer({ minimum: 1, maximum: 1000, default: 100 }),
    },
    {
      in: 'query',
      name: 'next_page_token',
      description: 'The `nextPageToken` of the page before.',
      schema: Type.Integer({ minimum: 0 }),
    },
  ],
  answers: {
    200: {
      description: 'A page.',
      content: json(
        Type.Object(
          {
            nextPageToken: Type.Optional(Type.String({ description: 'Where there are more.' })),
            models: Type.Array(
              Type.Object({
                modelName: Type.String(),
                modelUrl: Type.String({ description: 'Its file in its repository.' }),
              }),
            ),
          },
          { $id: 'TorchserveModels' },
        ),
        {
          demo: {
            summary: 'The demo',
            value: { models: [{ modelName: 'digits', modelUrl: 'digits/2/model.onnx' }] },
          },
        },
      ),
    },
  },
  errors: ['invalid_request'],
  errorBody,
};

const Described = Type.Array(
  Type.Object({
    modelName: Type.String(),
    modelVersion: Type.String(),
    modelUrl: Type.String(),
    runtime: Type.String(),
    minWorkers: Type.Integer(),
    maxWorkers: Type.Integer(),
    batchSize: Type.Integer(),
    maxBatchDelay: Type.Number({ description: 'Milliseconds.' }),
    workers: Type.Array(
      Type.Object({
        id: Type.String(),
        status: Type.Enum(['READY', 'HUNG', 'STARTING']),
        gpu: Type.Boolean(),
      }),
    ),
    jobQueueStatus: Type.Object({
      remainingCapacity: Type.Integer(),
      pendingRequests: Type.Integer(),
    }),
  }),
  { $id: 'TorchserveDescription' },
);

export const DESCRIBE_DOCS: OperationDocs = {
  id: 'torchserveModel',
  tag,
  summary: 'Describe a model',
  description: 'The version in the path, `all`, or the highest that is ready.',
  parameters: [
    {
      in: 'query',
      name: 'customized',
      description:
        "Taken for TorchServe's clients: no model here has metadata of its own, so the answer is the same.",
      schema: Type.Boolean({ default: false }),
    },
  ],
  answers: { 200: { description: 'A description for each version.', content: json(Described) } },
  errors: ['invalid_request', 'unknown_model', 'invalid_version', 'model_unavailable'],
  errorBody,
};

function whole(name: string, description: string, minimum: number, maximum?: number): ParameterDocs {
  return {
    in: 'query',
    name,
    description,
    schema: Type.Integer({ minimum, ...(maximum !== undefined && { maximum }) }),
  };
}

export const REGISTER_DOCS: OperationDocs = {
  id: 'torchserveRegister',
  tag,
  summary: 'Take a file of the model repository as a version of a model',
  description:
    'An ONNX file, or a `.mar` archive that holds one, with its `index_to_name.json` as labels; with the handler `image_classifier` it takes images. ' +
    'The parameters may come as a JSON body too. Where the model is there, they have to be those of its configuration.',
  parameters: [
    {
      in: 'query',
      name: 'url',
      description: "Its path in one of the repository's folders. Nothing is fetched from elsewhere.",
      schema: Type.String(),
    },
    {
      in: 'query',
      name: 'model_name',
      description: 'Left out: what the archive, or else the file, is called.',
      schema: Type.String(),
    },
    {
      in: 'query',
      name: 'handler',
      description: "In the place of the archive's; only `image_classifier` does anything here.",
      schema: Type.String(),
    },
    whole('batch_size', 'Rows of a batch at the most.', 1),
    whole('max_batch_delay', 'Milliseconds that a request may wait for others.', 0),
    whole('initial_workers', 'Instances; without `synchronous` nobody waits for them then.', 1, 64),
    whole('response_timeout', 'Seconds; not less than `timeouts.inference`, which holds for all models.', 1),
    SYNCHRONOUS,
  ],
  answers: {
    200: {
      description: 'It takes traffic.',
      content: status('Model "resnet" Version: 1 registered with 1 initial workers'),
    },
    202: {
      description: 'Its files are in place, and it is being loaded.',
      content: status('Processing worker updates...'),
    },
  },
  errors: [
    'invalid_request',
    'unknown_file',
    'unservable_file',
    'version_exists',
    'load_not_allowed',
    'load_failed',
    'unsupported',
    'control_is_local',
    'cross_site',
  ],
  errorBody,
};

export const SCALE_DOCS: OperationDocs = {
  id: 'torchserveScale',
  tag,
  summary: 'Scale a model while it serves',
  parameters: [
    {
      in: 'query',
      name: 'min_worker',
      description: 'Fewer workers become so many.',
      schema: Type.Integer({ minimum: 1, maximum: 64, default: 1 }),
    },
    {
      in: 'query',
      name: 'max_worker',
      description: 'More workers become so many; left out: as `min_worker`.',
      schema: Type.Integer({ minimum: 1, maximum: 64 }),
    },
    SYNCHRONOUS,
  ],
  answers: {
    200: { description: 'It is done.', content: status('Workers scaled to 2 for model: digits, version: 1') },
    202: { description: 'It is under way.', content: status('Processing worker updates...') },
  },
  errors: [
    'invalid_request',
    'unknown_model',
    'invalid_version',
    'model_unavailable',
    'unsupported',
    'load_failed',
    'control_is_local',
    'cross_site',
  ],
  errorBody,
};

export const UNREGISTER_DOCS: OperationDocs = {
  id: 'torchserveUnregister',
  tag,
  summary: 'Unload a model once its requests are answered',
  description: 'With `models.control: explicit`. Versions are unloaded together.',
  parameters: [SYNCHRONOUS],
  answers: { 200: { description: 'It is done.', content: status('Model "digits" unregistered') } },
  errors: [
    'invalid_request',
    'unknown_model',
    'invalid_version',
    'unsupported',
    'load_not_allowed',
    'control_is_local',
    'cross_site',
  ],
  errorBody,
};

export const SET_DEFAULT_DOCS: OperationDocs = {
  id: 'torchserveSetDefault',
  tag,
  summary: 'Ask that a version is the default one',
  description: 'It is where it is the highest that is ready; everything else is what experiments are for.',
  answers: {
    200: {
      description: 'It is.',
      content: status('Default version successfully updated for model "digits" to "2"'),
    },
  },
  errors: [
    'invalid_request',
    'unknown_model',
    'invalid_version',
    'model_unavailable',
    'unsupported',
    'control_is_local',
    'cross_site',
  ],
  errorBody,
};
