import { Type } from 'typebox';
import { GuardrailSchema, MetricSchema } from './metric-schema.ts';
import { AllocationSchema } from './allocation/allocation-schema.ts';
import { RolloutSchema } from './rollouts/rollout-schema.ts';
import { MatchRuleSchema } from './targeting/match-rule.ts';
import { UpstreamSchema } from './upstream-schema.ts';

const Name = (what: string) =>
  Type.String({
    pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$',
    expected: `${what}: letters, digits, ".", "_" and "-", 63 characters at most`,
  });

const Seed = () => Type.String({ minLength: 1, maxLength: 200, expected: 'a text of 1 to 200 characters' });

const PhaseNumber = () =>
  Type.Integer({ minimum: 1, maximum: 65_535, expected: 'a whole number from 1 to 65535' });

const Share = (expected: string) => Type.Number({ minimum: 0, maximum: 1, expected });

const HeaderName = (expected: string) => Type.String({ pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", expected });

const Time = (what: string) =>
  Type.String({
    pattern:
      '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]{1,3})?)?(Z|[+-][0-9]{2}:[0-9]{2})$',
    expected: `${what}: a time of ISO 8601 with its zone, as 2026-12-01T08:00:00Z`,
  });

/** A variant has just one of `version` and `upstream`, which is checked when it is read. */
export const VariantSchema = Type.Object(
  {
    name: Name("a variant's name"),
    version: Type.Optional(
      Type.Integer({ minimum: 1, expected: 'a version of the model, a whole number > 0' }),
    ),
    upstream: Type.Optional(UpstreamSchema),
    weight: Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      expected: 'a whole number from 0 to 1000000 (for 99.5 % to 0.5 % write 995 and 5)',
    }),
  },
  { additionalProperties: false, expected: 'a map of name, weight, and version or upstream' },
);

const HASH_ATTRIBUTE =
  'the name of the request header that names the unit, as x-user-id; or a map with one of header, cookie, json, ' +
  'apiKey: true and none: true';

const only = { additionalProperties: false } as const;

/** What names the unit. */
export const HashAttributeSchema = Type.Union(
  [
    HeaderName('the name of a request header'),
    Type.Object({ header: HeaderName('the name of a request header') }, only),
    Type.Object(
      { cookie: Type.String({ pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", expected: 'the name of a cookie' }) },
      only,
    ),
    Type.Object(
      {
        json: Type.String({
          pattern: '^parameters\\.[^.].{0,99}$',
          expected: "the path of one of the protocol's request parameters, as parameters.user_id",
        }),
      },
      only,
    ),
    Type.Object({ apiKey: Type.Literal(true) }, only),
    Type.Object({ none: Type.Literal(true) }, only),
  ],
  { expected: HASH_ATTRIBUTE },
);

/** A share of units that gets the control, so that what all experiments did together can be seen. */
export const HoldoutSchema = Type.Union(
  [
    Share('a share of the units, from 0 to 1'),
    Type.Object(
      {
        share: Share('a share of the units, from 0 to 1'),
        seed: Type.Optional(Seed()),
      },
      { additionalProperties: false },
    ),
  ],
  { expected: 'a share of the units, from 0 to 1, or a map of share and seed' },
);

/** A shadow, and the share of the requests that it gets copies of. */
export const MirrorSchema = Type.Object(
  {
    variant: Name("a variant's name"),
    share: Type.Optional(Share('a share of the requests, from 0 to 1')),
  },
  { additionalProperties: false, expected: 'a map of variant and share' },
);

/** An experiment's file, in the contract's words. */
export const ExperimentSchema = Type.Object(
  {
    key: Type.String({
      pattern: '^[a-z0-9-]{1,63}$',
      expected: 'a name of small letters, digits and "-", 63 characters at most',
    }),
    model: Name("the model's name"),
    status: Type.Enum(['draft', 'running', 'paused', 'completed']),
    phase: Type.Optional(
      Type.Union(
        [
          PhaseNumber(),
          Type.Object(
            {
              number: PhaseNumber(),
              name: Type.Optional(
                Type.String({ minLength: 1, maxLength: 100, expected: 'a text of 1 to 100 characters' }),
              ),
              seed: Type.Optional(Seed()),
            },
            { additionalProperties: false },
          ),
        ],
        { expected: 'a whole number from 1 to 65535, or a map of number, name and seed' },
      ),
    ),
    start: Type.Optional(Time('when it begins to enrol')),
    stop: Type.Optional(Time('when it stops enrolling')),
    hashAttribute: Type.Optional(HashAttributeSchema),
    seed: Type.Optional(Seed()),
    hashVersion: Type.Optional(Type.Literal(1, { expected: '1, the only hash version there is' })),
    match: Type.Optional(
      Type.Array(MatchRuleSchema, { minItems: 1, maxItems: 100, expected: 'a list of at least one rule' }),
    ),
    namespace: Type.Optional(
      Type.Object(
        {
          name: Name("the namespace's name"),
          range: Type.Array(Share('a share from 0 to 1'), {
            minItems: 2,
            maxItems: 2,
            expected: 'a list of from and up to, as [0, 0.5]',
          }),
        },
        {
          additionalProperties: false,
          expected: 'a map of name and range, as { name: ranking, range: [0, 0.5] }',
        },
      ),
    ),
    holdout: Type.Optional(HoldoutSchema),
    coverage: Type.Optional(Share('a share of the units, from 0 to 1')),
    forced: Type.Optional(
      Type.Record(Type.String({ pattern: '^[\\s\\S]*$' }), Name("a variant's name"), {
        expected: "a map from units to variants' names",
      }),
    ),
    sticky: Type.Optional(Type.Boolean({ expected: 'true or false' })),
    control: Name("the control variant's name"),
    variants: Type.Array(VariantSchema, { minItems: 1, expected: 'a list of at least one variant' }),
    onUnavailable: Type.Optional(Type.Enum(['fallback', 'error'])),
    mirror: Type.Optional(
      Type.Union([MirrorSchema, Type.Array(MirrorSchema, { minItems: 1, maxItems: 10 })], {
        expected: 'a map of variant and share, or a list of them',
      }),
    ),
    metrics: Type.Optional(Type.Array(MetricSchema, { maxItems: 50, expected: 'a list of metrics' })),
    guardrails: Type.Optional(
      Type.Array(GuardrailSchema, { maxItems: 50, expected: 'a list of guardrails' }),
    ),
    allocation: Type.Optional(AllocationSchema),
    rollout: Type.Optional(RolloutSchema),
    winner: Type.Optional(Name("the winning variant's name")),
  },
  { additionalProperties: false, expected: 'a map with key, model, status, control and variants' },
);
