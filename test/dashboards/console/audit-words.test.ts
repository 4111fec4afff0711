import { expect, test } from 'vitest';
import type { AuditShape } from '../../../dashboards/console/source/shapes.ts';
import { actionWord, changeOf, subjectOf } from '../../../dashboards/console/source/words/audit.ts';

const actor = { kind: 'key', id: 'a1', name: 'on call', address: '127.0.0.1' } as const;
const entered = { sequence: 1, at: '2026-11-25T00:00:00.000Z', actor };
const key = { id: 'b2', name: 'job', scopes: ['infer'], models: ['digits'], expires: null };
const state = { version: 2, status: 'running', weights: { v1: 90, v2: 10 }, winner: 'v1' };
const version = { version: 1, state: 'READY', instances: 2 };

const told = (entry: AuditShape): string =>
  `${subjectOf(entry)}: ${actionWord(entry.action ?? '')}, ${changeOf(entry)}`;

test('every kind of entry of the audit log is told in words', () => {
  expect(
    told({
      ...entered,
      kind: 'experiment',
      action: 'pause',
      reason: 'x',
      experiment: 'digits-cnn',
      phase: 1,
      before: state,
      after: { ...state, status: 'paused' },
    }),
  ).toBe('digits-cnn: paused, v1 90, v2 10 → v1 90, v2 10 (paused)');
  const made = {
    ...entered,
    kind: 'key',
    action: 'key.create',
    key: 'b2',
    before: null,
    after: key,
  } as const;
  expect(told(made)).toBe('key b2 (job): made, infer, of digits, for good');
  expect(
    told({ ...made, action: 'key.rotate', before: key, after: { ...key, id: 'c3', models: null } }),
  ).toBe('key b2 (job): rotated, c3 in its place: infer, of all models, for good');
  expect(told({ ...made, action: 'key.revoke', before: key, after: null })).toBe(
    'key b2 (job): revoked, it opens nothing any more',
  );
  expect(
    told({
      ...entered,
      kind: 'model',
      action: 'model.load',
      model: 'digits',
      before: { versions: [] },
      after: { versions: [version, { version: 2, state: 'UNAVAILABLE', instances: null }] },
      fault: 'no model',
    }),
  ).toBe(
    'model digits: loaded, no version → version 1 READY, instances 2; version 2 UNAVAILABLE; it failed: no model',
  );
  expect(
    told({
      ...entered,
      kind: 'settings',
      action: 'log.set',
      before: { level: 'info' },
      after: { level: 'silent' },
    }),
  ).toBe('the log: set, level info → silent');
});

test('an entry of another form is said to be one', () => {
  // As the changes of keys were written once.
  const entry: AuditShape = JSON.parse(
    '{"sequence":3,"actor":"a1","atMs":1,"action":"key created","key":"b2"}',
  ) as AuditShape;
  expect(told(entry)).toBe(': key created, of a form that is not shown here');
});
