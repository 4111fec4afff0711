import { Type } from 'typebox';
import { ActorSchema } from '../../../../experiments/standing/standing.ts';
import { json } from '../../openapi/common-docs.ts';
import type { OperationDocs } from '../../openapi/operation.ts';
import { RolloutSchema } from './rollout.ts';

const tag = 'Experiments';

const ExperimentStatus = Type.Enum(['draft', 'running', 'paused', 'completed']);

const UpstreamPlace = Type.Object(
  {
    url: Type.String(),
    protocol: Type.Enum(['v2', 'torchserve', 'http']),
    model: Type.Optional(Type.String({ description: 'Its name on that server; left out with `http`.' })),
    version: Type.Optional(Type.Integer({ description: 'Left out: that server chooses.' })),
    path: Type.Optional(Type.String({ description: 'Where it takes requests, with `http`.' })),
  },
  { description: 'The server elsewhere that answers for it, without what it is sent to open it.' },
);

/** The fields of an experiment as the control plane tells it. */
export const EXPERIMENT_FIELDS = {
  key: Type.String(),
  model: Type.String(),
  status: ExperimentStatus,
  phase: Type.Integer(),
  phaseName: Type.Optional(Type.String()),
  weightsVersion: Type.Integer({ description: 'Replicas that tell the same version assign alike.' }),
  epoch: Type.Integer({ description: 'A stretch of constant weights.' }),
  coverage: Type.Number({ minimum: 0, maximum: 1 }),
  control: Type.String(),
  winner: Type.Optional(Type.String({ description: 'Once it is completed.' })),
  variants: Type.Array(
    Type.Object({
      name: Type.String(),
      version: Type.Optional(Type.Integer({ description: 'Left out: it lives on another server.' })),
      upstream: Type.Optional(UpstreamPlace),
      weight: Type.Integer({ minimum: 0 }),
      share: Type.Number({ minimum: 0, maximum: 1, description: 'Of all units, in force.' }),
    }),
  ),
  metrics: Type.Array(
    Type.Object({
      name: Type.String(),
      kind: Type.Enum(['proportion', 'mean', 'count', 'ratio', 'quantile']),
      role: Type.Enum(['goal', 'secondary', 'guardrail']),
      direction: Type.Enum(['increase', 'decrease']),
    }),
  ),
  wished: Type.Object(
    {
      status: ExperimentStatus,
      weights: Type.Record(Type.String(), Type.Integer({ minimum: 0 })),
      winner: Type.Optional(Type.String()),
    },
    { description: 'What its file says.' },
  ),
  rollout: Type.Optional(RolloutSchema),
  standing: Type.Union(
    [
      Type.Object({
        version: Type.Integer(),
        action: Type.String({ description: 'What was done last.' }),
        reason: Type.String(),
        actor: ActorSchema,
        at: Type.String({ description: 'ISO 8601.' }),
        isRecovered: Type.Boolean(),
        rollout: Type.Unknown({ description: "The rollout's own state; null: there is none." }),
      }),
      Type.Null(),
    ],
    { description: 'How it came to be as it is; null: all is as its file says.' },
  ),
};

const Experiment = Type.Object(EXPERIMENT_FIELDS, { $id: 'Experiment' });

const DIGITS = {
  key: 'digits-cnn',
  model: 'digits',
  status: 'running',
  phase: 1,
  weightsVersion: 1,
  epoch: 1263465923,
  coverage: 1,
  control: 'v1',
  variants: [
    { name: 'v1', version: 1, weight: 90, share: 0.9 },
    { name: 'v2', version: 2, weight: 10, share: 0.1 },
  ],
  metrics: [{ name: 'correct', kind: 'proportion', role: 'goal', direction: 'increase' }],
  wished: { status: 'running', weights: { v1: 90, v2: 10 } },
  standing: null,
};

export const EXPERIMENTS_DOCS: OperationDocs = {
  id: 'experiments',
  tag,
  summary: 'The experiments that are served',
  description: 'Drafts are not. A key for some models sees the experiments of these.',
  answers: {
    200: {
      description: 'All of them, by key.',
      content: json(Type.Object({ experiments: Type.Array(Experiment) }, { $id: 'Experiments' }), {
        demo: { summary: 'The demo', value: { experiments: [DIGITS] } },
      }),
    },
  },
};

export const EXPERIMENT_DOCS: OperationDocs = {
  id: 'experiment',
  tag,
  summary: 'An experiment as it stands',
  answers: {
    200: {
      description: 'What is in force, beside what its file wishes.',
      content: json(Experiment, { demo: { summary: 'The demo', value: DIGITS } }),
    },
  },
  errors: ['experiment_not_found'],
};
