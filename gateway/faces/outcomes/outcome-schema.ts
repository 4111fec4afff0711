import { Type } from 'typebox';

/** Outcomes of one request. */
export const MAX_OUTCOMES = 1000;

/** What came of a prediction, as it is sent. */
export const OutcomeSchema = Type.Object(
  {
    prediction_id: Type.String({ maxLength: 1000 }),
    metric: Type.String({ maxLength: 200 }),
    value: Type.Union([
      Type.Number(),
      Type.Boolean(),
      Type.Object({ numerator: Type.Number(), denominator: Type.Number() }, { additionalProperties: false }),
      Type.String(),
      Type.Null(),
    ]),
  },
  { $id: 'Outcome', additionalProperties: false },
);
