import { Type } from 'typebox';

/** How the weights come about: fixed, as the file has them, or by a bandit. */
export const AllocationSchema = Type.Object(
  {
    kind: Type.Enum(['fixed', 'thompson']),
    metric: Type.Optional(
      Type.String({
        minLength: 1,
        expected: 'the name of a metric that is a proportion, mean, count or ratio',
      }),
    ),
    every: Type.Optional(
      Type.String({
        pattern: '^[1-9][0-9]{0,6}(s|m|h|d)$',
        expected: 'a duration as 30m, 1h or 1d: the time between two changes of the weights',
      }),
    ),
    floor: Type.Optional(
      Type.Number({
        minimum: 0.01,
        maximum: 0.5,
        expected: 'the least share of a variant, from 0.01 to 0.5',
      }),
    ),
    ceiling: Type.Optional(
      Type.Number({
        minimum: 0.5,
        maximum: 0.99,
        expected: 'the largest share of a variant, from 0.5 to 0.99',
      }),
    ),
    minUnits: Type.Optional(
      Type.Integer({ minimum: 2, expected: 'how many units each variant has before weights move' }),
    ),
  },
  { additionalProperties: false, expected: 'a map with kind' },
);
