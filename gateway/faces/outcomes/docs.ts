import { Type } from 'typebox';
import { json } from '../openapi/common-docs.ts';
import type { OperationDocs } from '../openapi/operation.ts';
import { MAX_OUTCOMES, OutcomeSchema } from './outcome-schema.ts';

const Report = Type.Object(
  {
    accepted: Type.Integer({ minimum: 0 }),
    rejected: Type.Array(
      Type.Object({
        index: Type.Integer({ minimum: 0, description: "The outcome's place in what was sent." }),
        code: Type.Enum([
          'bad_signature',
          'expired',
          'unknown_metric',
          'duplicate',
          'not_counted',
          'bad_value',
        ]),
        message: Type.String(),
      }),
    ),
  },
  { $id: 'OutcomesReport' },
);

const OUTCOME = {
  prediction_id:
    'ASEDAaIFP_hAr-NFZ4TdzwPrM2HeAAEkyrZn4NjB3z_wAAAAAAAACmRpZ2l0cy1jbm52MZdxxyFnL1KT2V1YLpmynz4',
  metric: 'correct',
  value: 1,
};

export const OUTCOMES_DOCS: OperationDocs = {
  id: 'sendOutcomes',
  tag: 'Outcomes',
  summary: 'Tell what came of predictions',
  body: {
    description: `One outcome, or a list of at most ${MAX_OUTCOMES}.`,
    required: true,
    content: json(Type.Union([OutcomeSchema, Type.Array(OutcomeSchema, { maxItems: MAX_OUTCOMES })]), {
      one: { summary: 'The prediction was right', value: OUTCOME },
      several: { summary: 'A list', value: [OUTCOME] },
    }),
  },
  answers: {
    202: {
      description: 'How many were taken, and why the others were not.',
      content: json(Report, {
        taken: { summary: 'Taken', value: { accepted: 1, rejected: [] } },
        refused: {
          summary: 'Not taken',
          value: {
            accepted: 0,
            rejected: [
              {
                index: 0,
                code: 'bad_signature',
                message: 'prediction_id is none that this gateway gave out',
              },
            ],
          },
        },
      }),
    },
  },
  errors: ['invalid_request', 'state_unavailable'],
};
