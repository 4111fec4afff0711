import { Type } from 'typebox';

/** What is measured of a request without anybody sending an outcome. */
export const BUILT_IN_SOURCES = [
  'error_rate',
  'client_error_rate',
  'latency',
  'queue',
  'compute',
  'cache_hits',
  'confidence',
  'drift',
] as const;

const MetricName = (what: string) =>
  Type.String({
    pattern: '^[a-z][a-z0-9_]{0,62}$',
    expected: `${what}: small letters, digits and "_", 63 characters at most`,
  });

/** A metric of an experiment: what is compared between its variants. */
export const MetricSchema = Type.Object(
  {
    name: MetricName("the metric's name"),
    kind: Type.Enum(['proportion', 'mean', 'ratio', 'quantile', 'count']),
    role: Type.Optional(Type.Enum(['goal', 'secondary', 'guardrail'])),
    direction: Type.Optional(Type.Enum(['increase', 'decrease'])),
    source: Type.Optional(Type.Enum(['outcome', ...BUILT_IN_SOURCES])),
    window: Type.Optional(
      Type.String({
        pattern: '^[1-9][0-9]{0,6}(s|m|h|d)$',
        expected: "a duration as 30m, 24h or 7d: how long after a unit's first exposure its outcomes count",
      }),
    ),
    quantile: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        exclusiveMaximum: 1,
        expected: 'a share above 0 and below 1, as 0.99',
      }),
    ),
    covariate: Type.Optional(MetricName('the outcome, known before the exposure, that explains variance')),
    cap: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, expected: 'the value at which values are capped' }),
    ),
    winsorize: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0.5,
        exclusiveMaximum: 1,
        expected: 'the quantile at which values are capped, above 0.5 and below 1, as 0.99',
      }),
    ),
    minimumEffect: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: 10,
        expected: 'the smallest relative effect worth finding, as 0.02 for 2 %',
      }),
    ),
  },
  { additionalProperties: false, expected: 'a map with name and kind' },
);

/** A threshold that a variant may not cross. */
export const GuardrailSchema = Type.Object(
  {
    metric: MetricName('the name of a metric of this experiment'),
    minimum: Type.Optional(Type.Number({ expected: "the least that the metric's value may be" })),
    maximum: Type.Optional(Type.Number({ expected: "the most that the metric's value may be" })),
    maximumHarm: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 10,
        expected: 'how much worse than the control it may be, relatively: 0.05 for 5 %',
      }),
    ),
  },
  { additionalProperties: false, expected: 'a map with metric and minimum, maximum or maximumHarm' },
);
