import { Type } from 'typebox';
import type { TSchema } from 'typebox';
import { json } from '../../openapi/common-docs.ts';
import type { OperationDocs } from '../../openapi/operation.ts';

const tag = 'Experiments';

function nullable(schema: TSchema, description: string) {
  return Type.Union([schema, Type.Null()], { description });
}

const End = Type.Union([Type.Number(), Type.Null()]);
const Interval = Type.Union([Type.Tuple([End, End]), Type.Null()], {
  $id: 'Interval',
  description: 'Its ends; null where nothing limits one, or while it is not known.',
});
const Share = Type.Number({ minimum: 0, maximum: 1 });
const Counts = Type.Record(Type.String(), Type.Integer());
const Drift = Type.Object({ psi: Type.Number(), totalVariation: Type.Number() });
const Quantiles = Type.Object({ p50: Type.Number(), p99: Type.Number() });

const MetricResult = Type.Object(
  {
    name: Type.String(),
    role: Type.Enum(['goal', 'secondary', 'guardrail']),
    variant: Type.String(),
    estimate: Type.Number({ description: "The variant's own value." }),
    control: Type.Number({ description: "The control's." }),
    units: Type.Integer({ description: 'With an outcome, in both.' }),
    lift: nullable(Type.Number(), "(estimate - control) / |control|; null: the control's value is 0."),
    alpha: Type.Number({ description: 'The intervals cover with probability 1 - alpha.' }),
    welch: Interval,
    welchP: Type.Number(),
    anytime: Type.Object(
      { interval: Interval, p: Type.Number() },
      { description: 'Valid at all looks together.' },
    ),
    difference: nullable(
      Type.Object({ estimate: Type.Number(), welch: Interval, anytime: Interval }),
      "On the metric's own scale; null for quantiles.",
    ),
    adjustedP: Type.Number(),
    outcome: Type.Enum(['better', 'worse', 'open']),
    chanceToWin: nullable(Share, 'Null: not known yet.'),
    expectedLoss: nullable(Type.Number(), 'In units of lift.'),
    varianceReduction: nullable(Type.Number(), 'By the covariate; null: there is none.'),
    power: Type.Object({
      minimumDetectableLift: nullable(Type.Number(), 'Null: not known yet.'),
      unitsToGo: nullable(Type.Number(), "Null: can't be told."),
      daysToGo: nullable(Type.Number(), "Null: can't be told."),
    }),
  },
  { $id: 'MetricResult' },
);

const Health = Type.Object(
  {
    srm: Type.Object({
      p: Type.Number(),
      ok: Type.Boolean(),
      chiSquareP: Type.Number(),
      variants: Type.Array(
        Type.Object({
          variant: Type.String(),
          units: Type.Integer(),
          expected: Type.Number(),
          p: Type.Number(),
        }),
      ),
      causes: Type.Record(
        Type.String(),
        Type.Array(
          Type.Object({
            name: Type.String(),
            units: Type.Integer(),
            p: Type.Number(),
            pWithout: Type.Number(),
          }),
        ),
      ),
    }),
    units: Type.Object({ least: Type.Integer(), ok: Type.Boolean() }),
    outcomes: Type.Object({ share: Type.Number(), p: Type.Number(), ok: Type.Boolean() }),
    overrides: Type.Object({ share: Type.Number(), ok: Type.Boolean() }),
    models: Type.Object({
      ok: Type.Boolean(),
      changed: Type.Array(Type.String(), {
        description: 'Variants whose files were changed under the number of their version, within the phase.',
      }),
      variants: Type.Record(Type.String(), Type.Record(Type.String(), Type.Integer()), {
        description: 'Requests by the sha256 of the model, by variant.',
      }),
    }),
    clientErrors: Type.Object({
      p: Type.Number(),
      ok: Type.Boolean(),
      worse: Type.Array(Type.String(), {
        description: 'Variants that surely turn more callers away as mistaken than control does.',
      }),
      shares: Type.Record(Type.String(), Type.Number(), {
        description:
          'Of the units whose first request was taken or turned away, those that were turned away.',
      }),
    }),
    signatures: Type.Object({
      ok: Type.Boolean({ description: 'Whether callers may send all variants the same.' }),
      misfits: Type.Array(Type.Object({ variant: Type.String(), message: Type.String() }), {
        description:
          'Variants that take or give something else than the control does, as their models are loaded now, and what.',
      }),
    }),
  },
  { $id: 'ResultsHealth', description: 'Whether the result may be believed at all.' },
);

const Decision = Type.Union(
  [
    Type.Object({
      kind: Type.Literal('broken'),
      cause: Type.Enum(['models', 'sample_ratio', 'client_errors', 'missing_outcomes', 'overrides']),
    }),
    Type.Object({ kind: Type.Literal('ship'), variant: Type.String() }),
    Type.Object({
      kind: Type.Literal('keep'),
      variant: Type.String(),
      why: Type.Enum(['guardrail', 'worse', 'no_minimum_effect']),
    }),
    Type.Object({
      kind: Type.Literal('keep_running'),
      unitsToGo: nullable(Type.Number(), "Null: can't be told."),
      unknownGuardrails: Type.Optional(
        Type.Array(Type.String(), {
          description:
            'Guardrails that nothing is known of, where they alone hold back a variant that would be shipped.',
        }),
      ),
    }),
  ],
  { $id: 'Decision' },
);

const ThresholdResult = Type.Object(
  {
    metric: Type.String(),
    bound: Type.Enum(['minimum', 'maximum']),
    value: Type.Number(),
    variant: Type.String(),
    units: Type.Integer(),
    estimate: nullable(Type.Number(), 'Over all epochs; null: no unit has a value.'),
    p: Type.Number({ description: "Always-valid, of the variant's value being the fixed one." }),
    outcome: Type.Enum(['within', 'beyond', 'open', 'no_data', 'unfit'], {
      description: '`beyond` is for sure, at all looks together; `open` is beyond it, which may be chance.',
    }),
    reason: Type.Optional(Type.String({ description: 'Why it is `unfit`.' })),
  },
  { $id: 'ThresholdResult' },
);

const Untested = Type.Object({
  later: Type.Number(),
  laterSumX: Type.Number(),
  late: Type.Number(),
  unitless: Type.Number(),
  unitlessSumX: Type.Number(),
  duplicate: Type.Number(),
  switched: Type.Number(),
});

const Mirror = Type.Object(
  {
    variant: Type.String(),
    mirror: Type.String(),
    compared: Type.Integer(),
    dropped: Counts,
    failed: Counts,
    agreement: nullable(
      Type.Object({
        rows: Type.Integer(),
        same: Type.Integer(),
        share: Share,
        units: Type.Integer(),
        unitShare: nullable(Share, 'Null: no units yet.'),
        interval: Type.Tuple([Type.Number(), Type.Number()]),
      }),
      'Null: answers name no class.',
    ),
    flips: Type.Array(Type.Object({ from: Type.String(), to: Type.String(), rows: Type.Integer() })),
    otherFlips: Type.Integer(),
    difference: nullable(
      Type.Object({
        mean: Type.Number(),
        largest: Type.Number(),
        p50: Type.Number(),
        p99: Type.Number(),
      }),
      'Of scores; null: there are none.',
    ),
    cosine: nullable(Type.Object({ mean: Type.Number(), least: Type.Number() }), 'Null: one score a row.'),
    drift: nullable(Drift, 'Null: there are neither classes nor single scores.'),
    nonFinite: Type.Object({ variant: Type.Integer(), mirror: Type.Integer() }),
    otherShape: Type.Integer(),
    computeMs: Type.Object({
      variant: nullable(Quantiles, 'Null: not known.'),
      mirror: nullable(Quantiles, 'Null: not known.'),
    }),
  },
  { $id: 'MirrorResult' },
);

const Results = Type.Object(
  {
    experiment: Type.String(),
    phase: Type.Integer(),
    verdict: Type.String({ description: 'In plain language.' }),
    decision: Decision,
    health: Health,
    variants: Type.Array(
      Type.Object({
        name: Type.String(),
        units: Type.Integer(),
        exposures: Type.Integer(),
        drift: nullable(Drift, "Of its outputs against the control's; null: none are kept."),
      }),
    ),
    metrics: Type.Array(MetricResult),
    builtIn: Type.Array(MetricResult, {
      description: 'What the gateway measures by itself; it decides nothing.',
    }),
    thresholds: Type.Array(ThresholdResult, {
      description: "How each variant stands against the guardrails' fixed values.",
    }),
    allocation: nullable(
      Type.Object({
        kind: Type.Literal('thompson'),
        metric: Type.String(),
        weights: Type.Record(Type.String(), Type.Number()),
        floor: Share,
        ceiling: Share,
        everyMs: Type.Number(),
        epochs: Type.Integer(),
        note: Type.String(),
      }),
      'How a bandit stands; null: the weights are fixed.',
    ),
    untested: Type.Record(Type.String(), Type.Record(Type.String(), Untested), {
      description: 'Outcomes that are shown and not tested, by variant, then by metric.',
    }),
    leftOut: Type.Array(Type.Object({ metric: Type.String(), reason: Type.String() })),
    mirrors: Type.Array(Mirror),
  },
  { $id: 'Results' },
);

export const RESULTS_DOCS: OperationDocs = {
  id: 'results',
  tag,
  summary: 'What an experiment says',
  description: 'It has everything that was answered before the call.',
  answers: {
    200: { description: 'A verdict, and all that it rests on.', content: json(Results) },
  },
  errors: ['experiment_not_found', 'results_unavailable'],
};

export const HISTORY_DOCS: OperationDocs = {
  id: 'history',
  tag,
  summary: 'How the intervals of an experiment closed in',
  answers: {
    200: {
      description: 'Points that are about evenly apart, oldest first; 300 at most.',
      content: json(
        Type.Object(
          {
            phase: Type.Integer(),
            everyMs: Type.Number(),
            points: Type.Array(
              Type.Object({
                atMs: Type.Number({ description: 'Milliseconds since 1970.' }),
                verdict: Type.String(),
                sampleRatioP: Type.Number(),
                variants: Type.Record(
                  Type.String(),
                  Type.Object({
                    share: Share,
                    units: Type.Integer(),
                    requests: Type.Integer(),
                  }),
                ),
                intervals: Type.Record(Type.String(), Type.Tuple([End, End, End]), {
                  description: 'By `metric/variant`: the lift, and the ends of its always-valid interval.',
                }),
              }),
            ),
          },
          { $id: 'History' },
        ),
      ),
    },
  },
  errors: ['experiment_not_found', 'results_unavailable'],
};
