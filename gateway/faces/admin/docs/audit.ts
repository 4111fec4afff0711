import { Type } from 'typebox';
import { json } from '../../openapi/common-docs.ts';
import type { OperationDocs } from '../../openapi/operation.ts';

const Position = Type.Integer({ minimum: 0 });

export const AUDIT_DOCS: OperationDocs = {
  id: 'audit',
  tag: 'Audit',
  summary: 'What was done, by whom and why',
  description:
    'Without `after` and `before`: the last entries. A key for some models sees what was done to theirs.',
  parameters: [
    { in: 'query', name: 'after', description: 'Goes on with what was done later.', schema: Position },
    {
      in: 'query',
      name: 'before',
      description: 'Goes on with what was done earlier.',
      schema: Type.Integer({ minimum: 1 }),
    },
    {
      in: 'query',
      name: 'limit',
      description: 'Entries of an answer.',
      schema: Type.Integer({ minimum: 1, maximum: 1000, default: 100 }),
    },
    { in: 'query', name: 'experiment', description: 'Of this experiment only.', schema: Type.String() },
  ],
  answers: {
    200: {
      description: 'Entries in the order in which they were done.',
      content: json(
        Type.Object(
          {
            entries: Type.Array(
              Type.Object(
                {
                  sequence: Type.Integer({ minimum: 1 }),
                  kind: Type.Optional(
                    Type.String({
                      enum: ['experiment', 'key', 'model', 'settings'],
                      description: 'What was changed; left out by an entry of a release that wrote none.',
                    }),
                  ),
                  action: Type.Optional(Type.String()),
                  id: Type.Optional(Type.String({ description: 'Names the change.' })),
                  experiment: Type.Optional(Type.String({ description: 'Of a change of an experiment.' })),
                  model: Type.Optional(
                    Type.String({ description: 'Of a change of an experiment or a model.' }),
                  ),
                  key: Type.Optional(Type.String({ description: 'Of a change of a key: its id.' })),
                  reason: Type.Optional(Type.String({ description: 'Of a change of an experiment.' })),
                  at: Type.Optional(Type.String({ description: 'ISO 8601.' })),
                },
                {
                  additionalProperties: true,
                  description: '`actor`, `before` and `after` too.',
                },
              ),
            ),
            previous: Type.Union([Type.Integer(), Type.Null()], {
              description: 'To be sent as `before`; null: there is nothing earlier.',
            }),
            next: Type.Integer({ description: 'To be sent as `after`.' }),
          },
          { $id: 'AuditPage' },
        ),
        { empty: { summary: 'Nothing was done yet', value: { entries: [], previous: null, next: 0 } } },
      ),
    },
  },
  errors: ['invalid_request', 'control_unavailable'],
};
