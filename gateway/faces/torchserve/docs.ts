import { Type } from 'typebox';
import { IMAGE_ERRORS, imageForm } from '../images/docs.ts';
import { Bytes, ROUTED_HEADERS, ROUTING_PARAMETERS, json } from '../openapi/common-docs.ts';
import type { OperationDocs } from '../openapi/operation.ts';
import { InferAnswer } from '../openapi/tensor-docs.ts';

/** An error as TorchServe's paths write it. */
export const TorchserveErrorSchema = Type.Object(
  {
    code: Type.Integer({ description: 'The status, once more.' }),
    type: Type.String({ description: "The name of TorchServe's exception for it." }),
    message: Type.String(),
  },
  { $id: 'TorchserveError' },
);

const Scores = Type.Record(Type.String(), Type.Number(), {
  description: 'Probabilities by label, best first.',
});

export const PREDICTIONS_DOCS: OperationDocs = {
  id: 'predictions',
  tag: 'TorchServe',
  summary: "Predict, in TorchServe's words",
  description:
    'An image for models whose configuration has `signalbox.image`; or, for every model, a request of the Open Inference Protocol in JSON.',
  parameters: ROUTING_PARAMETERS,
  body: {
    description: 'An image as the body or in the fields `data`, `body` or `file` of a form; or JSON.',
    required: true,
    content: {
      'multipart/form-data': imageForm('data'),
      'image/*': { schema: Bytes },
    },
  },
  answers: {
    200: {
      description: 'A map from labels to probabilities, a list of them for several images; for JSON, JSON.',
      headers: ROUTED_HEADERS,
      content: json(Type.Union([Scores, Type.Array(Scores), InferAnswer]), {
        zero: { summary: 'A zero', value: { zero: 0.9915, nine: 0.0031, five: 0.0017 } },
      }),
    },
  },
  errors: [...IMAGE_ERRORS, 'invalid_version', 'pinned_override'],
  errorBody: TorchserveErrorSchema,
};

const Ping = Type.Object({ status: Type.Enum(['Healthy', 'Unhealthy']) }, { $id: 'Ping' });

export const PING_DOCS: OperationDocs = {
  id: 'ping',
  tag: 'TorchServe',
  summary: "TorchServe's health check",
  answers: {
    200: {
      description: 'Traffic should be sent here.',
      content: json(Ping, { healthy: { summary: 'Ready', value: { status: 'Healthy' } } }),
    },
    503: { description: 'It starts, or it stops.', content: json(Ping) },
  },
};
