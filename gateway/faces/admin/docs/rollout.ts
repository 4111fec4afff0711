import { Type } from 'typebox';
import type { TSchema } from 'typebox';
import { ANALYSIS_OUTCOMES } from '../../../../experiments/rollouts/judgement.ts';
import {
  RolloutCauseSchema,
  RolloutStateSchema,
  RolloutTargetSchema,
} from '../../../../experiments/rollouts/state.ts';
import { json } from '../../openapi/common-docs.ts';
import type { OperationDocs } from '../../openapi/operation.ts';

const AnalysisOutcome = Type.Enum([...ANALYSIS_OUTCOMES]);

function nullable(schema: TSchema, description: string) {
  return Type.Union([schema, Type.Null()], { description });
}

const Milliseconds = Type.Number({ description: 'Milliseconds.' });

/** A rollout as the control plane tells it. */
export const RolloutSchema = Type.Object(
  {
    target: RolloutTargetSchema,
    state: RolloutStateSchema,
    weight: Type.Number({ description: 'In force, in percent.' }),
    mirror: Type.Number({ description: 'Percent of the requests that are copied, in force.' }),
    matching: Type.Integer({ description: 'Match rules in force.' }),
    steps: Type.Array(
      Type.Union([
        Type.Object({ kind: Type.Literal('setWeight'), weight: Type.Number() }),
        Type.Object({
          kind: Type.Literal('pause'),
          durationMs: nullable(Milliseconds, 'Null: until a person says so.'),
        }),
        Type.Object({ kind: Type.Literal('analysis'), count: Type.Integer() }),
        Type.Object({ kind: Type.Literal('match'), rules: Type.Integer() }),
        Type.Object({ kind: Type.Literal('setMirrorRoute'), percentage: Type.Number() }),
      ]),
    ),
    baseline: nullable(Type.String(), 'The variant that it is compared with; null: the control.'),
    intervalMs: Milliseconds,
    minUnits: Type.Integer(),
    failureLimit: Type.Integer(),
    inconclusiveLimit: nullable(Type.Integer(), 'Null: no limit.'),
    progressDeadlineMs: nullable(Milliseconds, 'Null: no limit.'),
    onNoData: Type.Enum(['hold', 'rollback', 'warn']),
    autoPromote: Type.Boolean(),
    hardFloor: Type.Record(Type.String(), Type.Integer(), {
      description: 'Faults in a row or in all that roll it back at once, by their kind.',
    }),
  },
  { $id: 'Rollout' },
);

const Judgement = Type.Object({
  outcome: AnalysisOutcome,
  findings: Type.Array(
    Type.Object({
      source: Type.Enum(['guardrail', 'threshold', 'mirror', 'query', 'webhook', 'units', 'health']),
      name: Type.String(),
      outcome: AnalysisOutcome,
      message: Type.String(),
    }),
  ),
});

export const ROLLOUT_DOCS: OperationDocs = {
  id: 'rollout',
  tag: 'Rollouts',
  summary: 'Where a rollout stands, and what an analysis would decide now',
  description: 'It changes nothing.',
  answers: {
    200: {
      description: 'The rollout; null where the experiment has none.',
      content: json(
        Type.Object(
          {
            experiment: Type.String(),
            rollout: Type.Union([RolloutSchema, Type.Null()]),
            analysis: Type.Optional(Type.Union([Judgement, Type.Null()])),
            would: Type.Optional(
              Type.Union([
                Type.Object({ state: RolloutStateSchema, cause: RolloutCauseSchema }),
                Type.Null(),
              ]),
            ),
          },
          { $id: 'RolloutReport' },
        ),
        { none: { summary: 'No rollout', value: { experiment: 'digits-cnn', rollout: null } } },
      ),
    },
  },
  errors: ['experiment_not_found', 'results_unavailable'],
};
