import { Type } from 'typebox';
import { json } from '../openapi/common-docs.ts';
import type { OperationDocs } from '../openapi/operation.ts';

const tag = 'OpenFeature';

const Context = Type.Object(
  {
    context: Type.Object(
      { targetingKey: Type.String({ minLength: 1, description: 'The unit.' }) },
      {
        additionalProperties: true,
        description: 'Attributes, which stand for the headers of the same name.',
      },
    ),
  },
  { $id: 'EvaluationContext' },
);

const ADA = { ada: { summary: 'A user', value: { context: { targetingKey: 'ada', country: 'NZ' } } } };

const Flag = Type.Object(
  {
    key: Type.String(),
    value: Type.String({ description: "The variant's name." }),
    variant: Type.String(),
    reason: Type.Enum(['TARGETING_MATCH', 'SPLIT', 'DEFAULT', 'DISABLED', 'STATIC']),
    metadata: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number()])),
  },
  { $id: 'Flag' },
);

const FlagFailure = Type.Object(
  { key: Type.String(), errorCode: Type.String(), errorDetails: Type.String() },
  { $id: 'FlagFailure' },
);

const FLAG = {
  key: 'digits-cnn',
  value: 'v1',
  variant: 'v1',
  reason: 'SPLIT',
  metadata: { reason: 'split', model: 'digits', version: 1, phase: 1 },
};

/** An error as OpenFeature's protocol writes it. */
const OfrepError = Type.Object(
  {
    key: Type.Optional(Type.String()),
    errorCode: Type.String(),
    errorDetails: Type.String(),
    error: Type.String(),
  },
  { $id: 'OfrepError' },
);

export const FLAG_DOCS: OperationDocs = {
  id: 'evaluateFlag',
  tag,
  summary: 'Which variant somebody has',
  description: 'Asking counts nothing: an exposure is an inference call.',
  body: { description: 'Who asks.', required: true, content: json(Context, ADA) },
  answers: {
    200: {
      description: 'The experiment as a flag.',
      content: json(Flag, { split: { summary: 'Split by weight', value: FLAG } }),
    },
  },
  errors: [
    'invalid_request',
    'invalid_context',
    'targeting_key_missing',
    'unknown_flag',
    'variant_unavailable',
  ],
  errorBody: OfrepError,
};

export const FLAGS_DOCS: OperationDocs = {
  id: 'evaluateFlags',
  tag,
  summary: 'Which variants of all experiments somebody has',
  parameters: [
    {
      in: 'header',
      name: 'If-None-Match',
      description: 'The `ETag` of the answer before.',
      schema: Type.String(),
    },
  ],
  body: { description: 'Who asks.', required: true, content: json(Context, ADA) },
  answers: {
    200: {
      description: 'Every experiment as a flag.',
      headers: { ETag: { description: 'Names this answer.', schema: Type.String() } },
      content: json(Type.Object({ flags: Type.Array(Type.Union([Flag, FlagFailure])) }, { $id: 'Flags' }), {
        one: { summary: 'One experiment', value: { flags: [FLAG] } },
      }),
    },
    304: { description: 'It is the answer that the caller has.' },
  },
  errors: ['invalid_request', 'invalid_context', 'targeting_key_missing'],
  errorBody: OfrepError,
};
