import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PredictionIds, uidOf, unitKeyText } from '../../experiments/prediction-id.ts';
import type { IssuedDecision } from '../../experiments/prediction-id.ts';

const SECRET = 'a secret of a test, long enough';
const OTHER = 'another secret, long enough too';
const NOW = Date.UTC(2026, 10, 22);
const WEEK_MS = 7 * 24 * 3_600_000;

const DECISION: IssuedDecision = {
  issuedMs: NOW,
  experiment: 'digits-cnn',
  variant: 'v2',
  phase: 3,
  epoch: 4_000_000_000,
  counts: true,
  unit: { split: 0xdeadbeef, coverage: 1 },
  version: 2,
};

test('says of the decision all that was signed', () => {
  const ids = new PredictionIds([SECRET]);
  const id = ids.issue(DECISION);
  expect(ids.verify(id, NOW, WEEK_MS)).toEqual({
    kind: 'valid',
    receipt: { ...DECISION, unit: 'deadbeef00000001', uid: uidOf(id) },
  });
});

test('any decision that definitions allow comes back as it was', () => {
  const ids = new PredictionIds([SECRET]);
  const uint32 = fc.integer({ min: 0, max: 0xffffffff });
  const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/);
  const decisions = fc.record({
    issuedMs: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
    experiment: fc.oneof(fc.constant(''), name),
    variant: fc.oneof(fc.constant(''), name),
    phase: fc.integer({ min: 0, max: 0xffff }),
    epoch: uint32,
    counts: fc.boolean(),
    unit: fc.option(fc.record({ split: uint32, coverage: uint32 }), { nil: undefined }),
    version: fc.integer({ min: 1, max: 999_999_999_999_999 }),
  });
  fc.assert(
    fc.property(decisions, (decision) => {
      const id = ids.issue(decision);
      const unit = decision.unit === undefined ? undefined : unitKeyText(decision.unit);
      expect(id).toMatch(/^[A-Za-z0-9_-]+$/);
      expect(ids.verify(id, decision.issuedMs, 0)).toEqual({
        kind: 'valid',
        receipt: { ...decision, unit, uid: uidOf(id) },
      });
    }),
  );
});

test('no two ids of one decision are the same', () => {
  const ids = new PredictionIds([SECRET]);
  expect(new Set(Array.from({ length: 10_000 }, () => uidOf(ids.issue(DECISION)))).size).toBe(10_000);
});

test('the tag is HMAC-SHA-256 of what stands before it, cut to 128 bits', () => {
  const bytes = Buffer.from(new PredictionIds([SECRET]).issue(DECISION), 'base64url');
  const payload = bytes.subarray(0, -16);
  const tag = createHmac('sha256', SECRET).update(payload).digest().subarray(0, 16);
  expect(bytes.subarray(-16)).toEqual(tag);
  expect(payload.includes('digits-cnn')).toBe(true);
});

describe('what is not as it was issued has a bad signature', () => {
  const ids = new PredictionIds([SECRET]);
  const id = ids.issue(DECISION);

  test('a change of any one character', () => {
    for (let at = 0; at < id.length; at++) {
      const forged = `${id.slice(0, at)}${id[at] === 'A' ? 'B' : 'A'}${id.slice(at + 1)}`;
      expect(ids.verify(forged, NOW, WEEK_MS).kind).toBe('bad_signature');
    }
  });

  test('another spelling of the same bytes', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    // 68 bytes leave two bits of the last character unused.
    const last = alphabet.indexOf(id.at(-1) ?? '');
    const respelled = id.slice(0, -1) + (alphabet[last ^ 1] ?? '');
    expect(Buffer.from(respelled, 'base64url')).toEqual(Buffer.from(id, 'base64url'));
    expect(ids.verify(id, NOW, WEEK_MS).kind).toBe('valid');
    expect(ids.verify(respelled, NOW, WEEK_MS).kind).toBe('bad_signature');
  });

  test.each([
    '',
    'x',
    id.slice(1),
    id.slice(0, -1),
    `${id}A`,
    `${id}=`,
    ` ${id}`,
    'A'.repeat(80),
    'é'.repeat(80),
  ])('%s', (text) => {
    expect(ids.verify(text, NOW, WEEK_MS).kind).toBe('bad_signature');
  });

  test('one of another gateway', () => {
    expect(new PredictionIds([OTHER]).verify(id, NOW, WEEK_MS).kind).toBe('bad_signature');
  });
});

test('an id is taken for its whole age, and is expired after it', () => {
  const ids = new PredictionIds([SECRET]);
  const id = ids.issue(DECISION);
  expect(ids.verify(id, NOW + WEEK_MS, WEEK_MS).kind).toBe('valid');
  expect(ids.verify(id, NOW + WEEK_MS + 1, WEEK_MS)).toEqual({ kind: 'expired', issuedMs: NOW });
});

test('after a rotation the old secret is still taken, and the new one signs', () => {
  const old = new PredictionIds([OTHER]).issue(DECISION);
  const rotated = new PredictionIds([SECRET, OTHER]);
  expect(rotated.verify(old, NOW, WEEK_MS).kind).toBe('valid');
  expect(new PredictionIds([SECRET]).verify(rotated.issue(DECISION), NOW, WEEK_MS).kind).toBe('valid');
  expect(new PredictionIds([SECRET]).verify(old, NOW, WEEK_MS).kind).toBe('bad_signature');
});

test('a short secret is refused', () => {
  expect(() => new PredictionIds(['too short'])).toThrow('has 9 characters; expected at least 16');
});
