import { Type } from 'typebox';
import { PRIORITIES } from '../../../trust/priority.ts';
import { SCOPES } from '../../../trust/scopes.ts';
import { json } from '../../openapi/common-docs.ts';
import type { OperationDocs } from '../../openapi/operation.ts';
import { GrantSchema, RotationSchema } from '../key-schemas.ts';

const tag = 'Keys';

const changing = [
  'invalid_request',
  'no_keys',
  'keys_unavailable',
  'control_is_local',
  'cross_site',
] as const;

const Key = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    scopes: Type.Array(Type.Enum([...SCOPES])),
    models: Type.Union([Type.Array(Type.String()), Type.Null()], { description: 'Null: all.' }),
    rate: Type.Union([Type.String(), Type.Null()]),
    concurrency: Type.Union([Type.Integer(), Type.Null()]),
    daily: Type.Union([Type.Integer(), Type.Null()]),
    priority: Type.Enum([...PRIORITIES]),
    expires: Type.Union([Type.String(), Type.Null()], { description: 'ISO 8601; null: never.' }),
    expired: Type.Boolean(),
  },
  { $id: 'Key', description: 'All but what it opens with.' },
);

const MADE = { id: Type.String(), key: Type.String({ description: 'The key itself, told once.' }) };

export const KEYS_DOCS: OperationDocs = {
  id: 'keys',
  tag,
  summary: 'The keys that are kept',
  description: 'A key for some models sees the keys of these.',
  answers: {
    200: {
      description: 'What each may do.',
      content: json(Type.Object({ keys: Type.Array(Key) }, { $id: 'Keys' }), {
        one: {
          summary: 'One key',
          value: {
            keys: [
              {
                id: '5d0e8a2b91c4',
                name: 'mobile app',
                scopes: ['infer', 'outcomes'],
                models: ['digits'],
                rate: '100/s',
                concurrency: null,
                daily: null,
                priority: 'normal',
                expires: '2027-01-31T00:00:00.000Z',
                expired: false,
              },
            ],
          },
        },
      }),
    },
  },
  errors: ['no_keys'],
};

export const CREATE_KEY_DOCS: OperationDocs = {
  id: 'createKey',
  tag,
  summary: 'Make a key',
  description: 'Nobody gives away more than they have.',
  body: {
    description: 'What it may do.',
    required: true,
    content: json(GrantSchema, {
      app: {
        summary: 'An app that predicts and tells outcomes',
        value: { name: 'mobile app', scopes: ['infer', 'outcomes'], models: ['digits'], rate: '100/s' },
      },
    }),
  },
  answers: {
    201: {
      description: 'The key.',
      content: json(Type.Object(MADE, { $id: 'MadeKey' })),
    },
  },
  errors: changing,
};

export const ROTATE_KEY_DOCS: OperationDocs = {
  id: 'rotateKey',
  tag,
  summary: 'Give what a key may do to a second one',
  body: {
    description: 'Left out: the first one opens for another day.',
    required: false,
    content: json(RotationSchema, { hour: { summary: 'For another hour', value: { keep: '1h' } } }),
  },
  answers: {
    201: {
      description: 'The second key, and until when the first one opens.',
      content: json(
        Type.Object({ ...MADE, replaces: Type.String(), until: Type.String() }, { $id: 'RotatedKey' }),
      ),
    },
  },
  errors: ['unknown_key', ...changing],
};

export const REVOKE_KEY_DOCS: OperationDocs = {
  id: 'revokeKey',
  tag,
  summary: 'Revoke a key',
  answers: {
    200: {
      description: 'It opens nothing any more.',
      content: json(Type.Object({ revoked: Type.String() }, { $id: 'RevokedKey' })),
    },
  },
  errors: ['unknown_key', ...changing],
};
