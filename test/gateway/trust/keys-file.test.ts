import { describe, expect, test } from 'vitest';
import { parseYaml } from '../../../documents/yaml-document.ts';
import { createKey } from '../../../gateway/trust/api-key.ts';
import { KeyRing } from '../../../gateway/trust/key-ring.ts';
import { readKeys } from '../../../gateway/trust/keys-file.ts';
import { refusals } from '../../documents/refusals.ts';

const read = (text: string) => readKeys(parseYaml(text, 'keys.yaml'));

const hash = 'a'.repeat(64);

test('a key says what it may do, on which models, how often and until when', () => {
  const keys = read(
    `keys:\n  - { id: abcd, hash: ${hash}, name: Ada, scopes: [infer, override], models: [digits], rate: 100/s, concurrency: 4, daily: 1000, priority: high, expires: 2027-01-31 }\n`,
  );
  expect(keys.get('abcd')).toEqual({
    id: 'abcd',
    hash: Buffer.alloc(32, 0xaa),
    name: 'Ada',
    scopes: new Set(['infer', 'override']),
    models: new Set(['digits']),
    limits: { rate: { limit: 100, periodMs: 1000, burst: 100 }, concurrency: 4, daily: 1000 },
    priority: 'high',
    expiresAtMs: Date.UTC(2027, 0, 31),
  });
});

test('what is left out: all models, no limit, for ever', () => {
  expect(read(`keys: [{ id: abcd, hash: ${hash}, scopes: [infer] }]`).get('abcd')).toMatchObject({
    name: 'abcd',
    models: undefined,
    limits: { rate: undefined, concurrency: undefined, daily: undefined },
    priority: 'normal',
    expiresAtMs: Infinity,
  });
});

test('a name that would act on a terminal or a page is refused', async () => {
  const text = `keys: [{ id: abcd, hash: ${hash}, name: "Ada\\u202eadA", scopes: [infer] }]`;
  expect(await refusals(() => read(text))).toEqual([
    'keys.yaml:1:98: keys[0].name: has the control character U+202E; expected one line of text without any',
  ]);
});

test('all mistakes are told at once, each at its place', async () => {
  const text = [
    'keys:',
    `  - { id: abcd, hash: ${hash}, scopes: [infer, root] }`,
    '  - { id: abcd, hash: sb_abcd_secret, scopes: [] }',
    `  - { id: ABC, hash: ${hash}, scopes: [infer], rate: fast, key: x }`,
  ].join('\n');
  const told = await refusals(() => read(text));
  expect(told.map((line) => line.split(': ').slice(0, 2).join(': '))).toEqual([
    'keys.yaml:2:105: keys[0].scopes[1]',
    'keys.yaml:3:23: keys[1].hash',
    'keys.yaml:3:39: keys[1].scopes',
    'keys.yaml:4:11: keys[2].id',
    'keys.yaml:4:111: keys[2].rate',
    'keys.yaml:4:122: keys[2].key',
  ]);
});

test('an id twice, and a date that is none', async () => {
  const entry = `{ id: abcd, hash: ${hash}, scopes: [infer], expires: 2027-13-45 }`;
  expect(await refusals(() => read(`keys:\n  - ${entry}\n  - ${entry}\n`))).toEqual([
    expect.stringContaining('keys[0].expires: is 2027-13-45, which is no date'),
    expect.stringContaining('keys[1].id: "abcd" is there twice'),
    expect.stringContaining('keys[1].expires'),
  ]);
});

describe('the ring', () => {
  const made = createKey();
  const ringOf = (expires = '') =>
    new KeyRing(
      read(
        `keys: [{ id: "${made.id}", hash: "${made.hash}", scopes: [infer]${expires === '' ? '' : `, expires: ${expires}`} }]`,
      ),
    );

  test('knows its keys', () => {
    expect(ringOf().check(made.text, 0)).toMatchObject({ kind: 'known', key: { id: made.id } });
  });

  test('does not know a stranger, nor a known id with another secret', () => {
    const other = createKey();
    expect(ringOf().check(other.text, 0)).toEqual({ kind: 'unknown' });
    expect(ringOf().check(`sb_${made.id}_${other.text.slice(-43)}`, 0)).toEqual({ kind: 'unknown' });
    expect(ringOf().check('', 0)).toEqual({ kind: 'unknown' });
  });

  test('a key ends at its date', () => {
    const ring = ringOf('2027-01-31');
    expect(ring.check(made.text, Date.UTC(2027, 0, 31) - 1).kind).toBe('known');
    expect(ring.check(made.text, Date.UTC(2027, 0, 31)).kind).toBe('expired');
  });

  test('a key that is taken off it opens nothing from then on', () => {
    const ring = ringOf();
    ring.replace(new Map());
    expect(ring.check(made.text, 0).kind).toBe('unknown');
  });
});
