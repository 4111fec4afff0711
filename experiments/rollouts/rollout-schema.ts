import { Type } from 'typebox';
import { MatchRuleSchema } from '../targeting/match-rule.ts';

const only = { additionalProperties: false } as const;

const Name = (what: string) =>
  Type.String({
    pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$',
    expected: `${what}: letters, digits, ".", "_" and "-", 63 characters at most`,
  });

const Duration = (what: string) =>
  Type.Union(
    [
      Type.String({ pattern: '^[1-9][0-9]{0,6}(ms|s|m|h|d)$' }),
      Type.Integer({ minimum: 1, maximum: 9_999_999 }),
    ],
    { expected: `${what}: a duration as 500ms, 30s, 10m, 2h or 1d, or a whole number of seconds` },
  );

const Url = () =>
  Type.String({
    pattern: '^https?://[^\\s/][^\\s]*$',
    expected: 'an address that begins with http:// or https://',
    // It may have a password in it.
    secret: true,
  });

const Count = (what: string, minimum = 0) =>
  Type.Integer({ minimum, maximum: 1_000_000, expected: `${what}: a whole number >= ${minimum}` });

const Percent = (what: string) =>
  Type.Number({
    minimum: 0,
    maximum: 100,
    multipleOf: 0.01,
    expected: `${what}: 0 to 100, two decimals at most`,
  });

const ThresholdRange = Type.Object(
  {
    min: Type.Optional(Type.Number({ expected: 'the least that the value may be' })),
    max: Type.Optional(Type.Number({ expected: 'the most that the value may be' })),
  },
  { ...only, expected: 'a map of min, max or both' },
);

/** A query whose value has to stay in a range, in Flagger's words. */
export const QuerySchema = Type.Object(
  {
    name: Name("the query's name"),
    prometheus: Type.Object(
      {
        address: Url(),
        query: Type.String({ minLength: 1, maxLength: 10_000, expected: 'a PromQL query' }),
      },
      { ...only, expected: 'a map of address and query' },
    ),
    thresholdRange: ThresholdRange,
    timeout: Type.Optional(Duration('how long Prometheus may take')),
  },
  { ...only, expected: 'a map of name, prometheus and thresholdRange' },
);

/** Somebody else who is asked. */
export const AnalysisWebhookSchema = Type.Object(
  {
    name: Name("the webhook's name"),
    url: Url(),
    timeout: Type.Optional(Duration('how long the webhook may take')),
    metadata: Type.Optional(
      Type.Record(Type.String({ pattern: '^[\\s\\S]*$' }), Type.String(), {
        expected: 'a map of texts that are sent with each call',
      }),
    ),
  },
  { ...only, expected: 'a map of name and url' },
);

/** What the mirrored copies of requests have to show. */
export const MirrorGateSchema = Type.Object(
  {
    minAgreement: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        exclusiveMaximum: 1,
        expected: 'the least share of copies that are answered alike, above 0 and below 1, as 0.98',
      }),
    ),
    maxDrift: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        expected: 'the largest population stability index of the answers, above 0, as 0.2',
      }),
    ),
    minComparisons: Type.Optional(Count('copies that have to be compared before anything is said', 1)),
  },
  { ...only, expected: 'a map of minAgreement, maxDrift or both' },
);

const CHECKS = {
  metrics: Type.Optional(Type.Array(QuerySchema, { maxItems: 20, expected: 'a list of queries' })),
  webhooks: Type.Optional(
    Type.Array(AnalysisWebhookSchema, { maxItems: 20, expected: 'a list of webhooks' }),
  ),
  mirror: Type.Optional(MirrorGateSchema),
};

const STEP = 'a map with one of setWeight, pause, analysis, match and setMirrorRoute';

export const StepSchema = Type.Object(
  {
    setWeight: Type.Optional(Percent("the variant's share of the units")),
    pause: Type.Optional(
      Type.Object(
        { duration: Type.Optional(Duration('how long it waits')) },
        { ...only, expected: 'a map of duration, or {} to wait for a person' },
      ),
    ),
    analysis: Type.Optional(
      Type.Object(
        { ...CHECKS, count: Type.Optional(Count('how many analyses have to pass', 1)) },
        { ...only, expected: 'a map of count, metrics, webhooks and mirror, or {}' },
      ),
    ),
    match: Type.Optional(
      Type.Array(MatchRuleSchema, { maxItems: 20, expected: 'a list of rules, or [] to end those before' }),
    ),
    setMirrorRoute: Type.Optional(
      Type.Object(
        { percentage: Percent('the share of the requests that are copied') },
        { ...only, expected: 'a map of percentage' },
      ),
    ),
  },
  { ...only, expected: STEP },
);

export const PRESETS = ['canary', 'blue-green', 'mirror-first'] as const;

export const RolloutSchema = Type.Object(
  {
    preset: Type.Optional(Type.Enum([...PRESETS])),
    variant: Type.Optional(Name('the variant that is rolled out')),
    baseline: Type.Optional(Name('the variant that is an equal-sized control arm')),
    steps: Type.Optional(
      Type.Array(StepSchema, { minItems: 1, maxItems: 100, expected: 'a list of at least one step' }),
    ),
    interval: Type.Optional(Duration('the time between two analyses')),
    analysis: Type.Optional(
      Type.Object(CHECKS, { ...only, expected: 'a map of metrics, webhooks and mirror' }),
    ),
    failureLimit: Type.Optional(Count('failed checks of a step that are put up with')),
    inconclusiveLimit: Type.Optional(Count('inconclusive analyses in a row that are put up with')),
    minUnits: Type.Optional(Count('units that have to have counted', 1)),
    progressDeadline: Type.Optional(Duration('how long a step may take')),
    onNoData: Type.Optional(Type.Enum(['hold', 'rollback', 'warn'])),
    autoPromote: Type.Optional(Type.Boolean({ expected: 'true or false' })),
    hardFloor: Type.Optional(
      Type.Object(
        {
          consecutiveErrors: Type.Optional(Count('errors in a row')),
          consecutiveTimeouts: Type.Optional(Count('timeouts in a row')),
          consecutiveNaN: Type.Optional(Count('answers in a row with a value that is not finite')),
          workerDeaths: Type.Optional(Count('workers that die within a step')),
          outOfMemory: Type.Optional(Count('times that memory ran out within a step')),
        },
        {
          ...only,
          expected:
            'a map of consecutiveErrors, consecutiveTimeouts, consecutiveNaN, workerDeaths and outOfMemory',
        },
      ),
    ),
  },
  { ...only, expected: 'a map with preset or steps' },
);
