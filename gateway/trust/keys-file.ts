import { Type } from 'typebox';
import { InvalidDocuments } from '../../documents/problem.ts';
import type { Problem } from '../../documents/problem.ts';
import { checkDocument } from '../../documents/schema-check.ts';
import { whyUnprintable } from '../../documents/unprintable.ts';
import type { Path, YamlDocument } from '../../documents/yaml-document.ts';
import { KEY_ID } from './api-key.ts';
import type { Principal } from './principal.ts';
import { RATE_EXPECTED, RATE_PATTERN, parseRate } from '../limits/rate.ts';
import { DEFAULT_PRIORITY, PRIORITIES } from './priority.ts';
import { SCOPES } from './scopes.ts';

const WholeNumber = (what: string) =>
  Type.Integer({ minimum: 1, maximum: 1e15, expected: `a whole number ${what}` });

/** What a key may do, as files and requests say it. */
export const GRANT_FIELDS = {
  scopes: Type.Array(Type.Enum([...SCOPES]), { minItems: 1, expected: `a list of ${SCOPES.join(', ')}` }),
  models: Type.Optional(
    Type.Array(Type.String({ minLength: 1 }), { minItems: 1, expected: 'a list of models; left out: all' }),
  ),
  rate: Type.Optional(Type.String({ pattern: RATE_PATTERN, expected: RATE_EXPECTED })),
  concurrency: Type.Optional(WholeNumber('of requests that it may have under way at once')),
  daily: Type.Optional(WholeNumber('of rows a day')),
  priority: Type.Optional(Type.Enum([...PRIORITIES])),
  expires: Type.Optional(Type.String({ maxLength: 40 })),
};

/** One key as it is kept: never the key itself. */
const KeySchema = Type.Object(
  {
    // Where somebody puts the key itself, it is not repeated.
    id: Type.String({
      pattern: KEY_ID.source,
      expected: 'the part of the key between its underscores',
      secret: true,
    }),
    hash: Type.String({
      pattern: '^[0-9a-f]{64}$',
      expected: "the key's SHA-256, 64 hexadecimal digits",
      secret: true,
    }),
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 100, expected: 'whose key it is' })),
    ...GRANT_FIELDS,
    expires: Type.Optional(
      Type.String({ pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]+Z)?$', expected: 'a date as 2027-01-31' }),
    ),
  },
  { additionalProperties: false, expected: 'a map with id, hash and scopes' },
);

export const KeysSchema = Type.Object(
  { keys: Type.Array(KeySchema, { expected: 'a list of keys, [] for none' }) },
  { additionalProperties: false, expected: 'a map with keys' },
);

/** A key, who holds it, and until when. */
export interface KeyEntry extends Principal {
  /** SHA-256 of the key, 32 bytes. */
  readonly hash: Buffer;
  /** Whose it is; the id where the file says nothing. */
  readonly name: string;
  /** Milliseconds since the epoch; Infinity: never. */
  readonly expiresAtMs: number;
}

/**
 * Reads `keys.yaml`.
 *
 * @throws InvalidDocuments with everything that is wrong with it
 */
export function readKeys(document: YamlDocument): ReadonlyMap<string, KeyEntry> {
  const { keys } = checkDocument(document, KeysSchema);
  const problems: Problem[] = [];
  const refuse = (path: Path, message: string): void => {
    problems.push(document.problemAt(path, message));
  };
  const entries = new Map<string, KeyEntry>();
  keys.forEach((key, index) => {
    const { id, hash, name, scopes, models, rate, concurrency, daily, priority, expires } = key;
    if (entries.has(id)) refuse(['keys', index, 'id'], `"${id}" is there twice`);
    const unprintable = name && whyUnprintable(name);
    if (unprintable !== undefined) refuse(['keys', index, 'name'], unprintable);
    const expiresAtMs = expires === undefined ? Infinity : Date.parse(expires);
    if (Number.isNaN(expiresAtMs))
      refuse(['keys', index, 'expires'], `is ${expires ?? ''}, which is no date`);
    entries.set(id, {
      id,
      hash: Buffer.from(hash, 'hex'),
      name: name ?? id,
      scopes: new Set(scopes),
      models: models === undefined ? undefined : new Set(models),
      limits: { rate: rate === undefined ? undefined : parseRate(rate), concurrency, daily },
      priority: priority ?? DEFAULT_PRIORITY,
      expiresAtMs,
    });
  });
  if (problems.length > 0) throw new InvalidDocuments(problems);
  return entries;
}
