import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { createKey, idOf, matches } from '../../../gateway/trust/api-key.ts';

test('a key is sb_, its id and 43 characters, and what is kept of it is its SHA-256', () => {
  const { text, id, hash } = createKey();
  expect(text).toMatch(/^sb_k[0-9a-f]{10}_[A-Za-z0-9_-]{43}$/);
  expect(idOf(text)).toBe(id);
  expect(hash).toBe(createHash('sha256').update(text).digest('hex'));
  expect(Buffer.from(text.slice(-43), 'base64url')).toHaveLength(32);
});

test.each(['1234567890', '12345e6789', '0000000000'])(
  'whatever bytes are drawn (%s), an id that somebody writes into YAML without quotes stays a text',
  (drawn) => {
    const { id } = createKey((bytes) => (bytes === 5 ? Buffer.from(drawn, 'hex') : Buffer.alloc(bytes)));
    expect(parse(`id: ${id}`)).toEqual({ id });
  },
);

test('two keys have nothing in common', () => {
  const first = createKey();
  const second = createKey();
  expect(first.id).not.toBe(second.id);
  expect(first.text.slice(-43)).not.toBe(second.text.slice(-43));
});

test('only the key itself fits its hash', () => {
  const { text, hash } = createKey();
  const kept = Buffer.from(hash, 'hex');
  expect(matches(text, kept)).toBe(true);
  const last = text.endsWith('A') ? 'B' : 'A';
  expect(matches(`${text.slice(0, -1)}${last}`, kept)).toBe(false);
  expect(matches('', kept)).toBe(false);
});

test.each([
  ['nothing', ''],
  ['another product’s key', 'sk_0123456789_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'],
  ['a secret that is too short', 'sb_0123456789_aaaa'],
  ['an id with capital letters', `sb_ABCDEF_${'a'.repeat(43)}`],
  ['something after it', `sb_0123456789_${'a'.repeat(43)}\n`],
])('%s is no key', (_, text) => {
  expect(idOf(text)).toBeUndefined();
});
