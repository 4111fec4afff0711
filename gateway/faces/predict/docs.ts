import { Type } from 'typebox';
import { Bytes, ROUTED_HEADERS, ROUTING_PARAMETERS, json } from '../openapi/common-docs.ts';
import { IMAGE_ERRORS, imageForm } from '../images/docs.ts';
import type { OperationDocs } from '../openapi/operation.ts';

const Predictions = Type.Array(
  Type.Object({
    class_id: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], {
      description: 'Null where the label of a server elsewhere is none of the labels here.',
    }),
    label: Type.String(),
    confidence: Type.Number(),
  }),
  { $id: 'Predictions', description: 'Best first.' },
);

const PredictAnswer = Type.Object(
  {
    success: Type.Literal(true),
    experiment: Type.Union([Type.String(), Type.Null()]),
    variant: Type.Union([Type.String(), Type.Null()]),
    model: Type.String(),
    version: Type.String(),
    predictions: Type.Optional(Predictions),
    results: Type.Optional(
      Type.Array(Type.Object({ predictions: Predictions }), {
        description: 'In the place of `predictions` where several images were sent, in their order.',
      }),
    ),
    inference_time_ms: Type.Number(),
  },
  { $id: 'PredictAnswer' },
);

export const PREDICT_DOCS: OperationDocs = {
  id: 'predict',
  tag: 'Images',
  summary: 'Say what images show',
  description:
    'For models whose configuration has `signalbox.image`. Without a model in the path it is `models.defaultModel`, or the only one.',
  parameters: ROUTING_PARAMETERS,
  body: {
    description: 'An image as the body, or one or more in the fields `file` of a form.',
    required: true,
    content: { 'multipart/form-data': imageForm('file'), 'image/*': { schema: Bytes } },
  },
  answers: {
    200: {
      description: "The best classes. Of a variant with `protocol: http` the body is the server's own.",
      headers: ROUTED_HEADERS,
      content: json(PredictAnswer, {
        zero: {
          summary: 'A zero',
          value: {
            success: true,
            experiment: 'digits-cnn',
            variant: 'v1',
            model: 'digits',
            version: '1',
            predictions: [{ class_id: 0, label: 'zero', confidence: 0.9915001578221002 }],
            inference_time_ms: 0.221,
          },
        },
      }),
    },
  },
  errors: IMAGE_ERRORS,
};

export const PREDICT_MODEL_DOCS: OperationDocs = { ...PREDICT_DOCS, id: 'predictWithModel' };
