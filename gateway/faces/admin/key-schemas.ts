import { Type } from 'typebox';
import { GRANT_FIELDS } from '../../trust/keys-file.ts';

/** What a new key is to be. */
export const GrantSchema = Type.Object(
  { ...GRANT_FIELDS, name: Type.String({ minLength: 1, maxLength: 100 }) },
  { $id: 'KeyGrant', additionalProperties: false },
);

/** How a key is to be rotated. */
export const RotationSchema = Type.Object(
  { keep: Type.Optional(Type.String({ description: 'How long the first key still opens, as `24h`.' })) },
  { $id: 'KeyRotation', additionalProperties: false },
);
