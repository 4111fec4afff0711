import { Type } from 'typebox';
import type { Command } from '../../../../experiments/standing/command.ts';
import { json } from '../../openapi/common-docs.ts';
import type { OperationDocs } from '../../openapi/operation.ts';
import { EXPERIMENT_FIELDS } from './experiments.ts';

const fields = {
  reason: Type.String({
    minLength: 1,
    maxLength: 500,
    description: 'For whoever reads the audit log; one line.',
  }),
  weightsVersion: Type.Optional(
    Type.Integer({
      minimum: 1,
      description:
        'That of the experiment as it was seen: where it has another meanwhile, nothing is done (409).',
    }),
  ),
  dryRun: Type.Optional(Type.Boolean({ description: 'Says what would come of it, and changes nothing.' })),
};

const CommandRequest = Type.Object(fields, { $id: 'CommandRequest', additionalProperties: false });

const PromoteRequest = Type.Object(
  {
    ...fields,
    full: Type.Optional(Type.Boolean({ description: "To the rollout's end, not its next step." })),
    variant: Type.Optional(
      Type.String({
        description: "Without a rollout: who gets all; left out: the only one that isn't the control.",
      }),
    ),
  },
  { $id: 'PromoteRequest', additionalProperties: false },
);

const CommandAnswer = Type.Object(
  {
    changed: Type.Boolean({ description: 'False: it stood there already.' }),
    dryRun: Type.Optional(Type.Literal(true)),
    ...EXPERIMENT_FIELDS,
  },
  { $id: 'CommandAnswer' },
);

const SUMMARIES: Readonly<Record<Command['action'], string>> = {
  promote: "The rollout's next step; without a rollout, all units to a variant",
  pause: 'Give all units the control, and count nothing',
  resume: 'Go on after a pause',
  rollback: 'Give all units the control, and abort the rollout',
};

/** What a command to an experiment takes and answers. */
export function commandDocs(action: Command['action']): OperationDocs {
  return {
    id: action,
    tag: 'Experiments',
    summary: SUMMARIES[action],
    description: 'Idempotent, kept in the state store, and written to the audit log.',
    parameters: [
      {
        in: 'header',
        name: 'Idempotency-Key',
        description:
          'Names the request: sent again as it was, it is taken once; anything else under the same name is a 422.',
        schema: Type.String({ minLength: 1, maxLength: 128 }),
      },
    ],
    body: {
      description: 'Why it is done.',
      required: true,
      content: json(action === 'promote' ? PromoteRequest : CommandRequest, {
        dryRun: { summary: 'Only look', value: { reason: 'to see what would come of it', dryRun: true } },
        done: { summary: 'Do it', value: { reason: 'the on-call asked for it' } },
      }),
    },
    answers: {
      200: { description: 'The experiment as it stands now.', content: json(CommandAnswer) },
    },
    errors: [
      'invalid_request',
      'experiment_not_found',
      'variant_not_found',
      'variant_not_ready',
      'command_refused',
      'files_differ',
      'idempotency_key_reused',
      'control_unavailable',
      'control_is_local',
      'cross_site',
    ],
  };
}
