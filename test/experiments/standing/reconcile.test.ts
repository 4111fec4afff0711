import { describe, expect, test } from 'vitest';
import { firstStanding, reconcile } from '../../../experiments/standing/reconcile.ts';
import type { Known } from '../../../experiments/standing/reconcile.ts';
import type { Standing } from '../../../experiments/standing/standing.ts';
import { AT, standingOf, written } from './samples.ts';

const FILE = written();
const EDITED = written({ coverage: 0.5 });
const step = (known: Partial<Known>, stored: Standing | undefined) =>
  reconcile({ file: FILE, held: undefined, isUnsaved: false, ...known }, stored, 'new', AT);

describe('a replica that starts', () => {
  test('enters an experiment that the store has never seen, at its own weights', () => {
    expect(step({}, undefined)).toMatchObject({
      kind: 'write',
      standing: {
        version: 1,
        split: { status: 'running', weights: { v1: 90, v2: 10 } },
        cause: { action: 'create' },
      },
    });
  });

  test('takes up what was set by hand while the file is unchanged', () => {
    const stored = standingOf(FILE, { weights: { v1: 0, v2: 100 } });
    expect(step({}, stored)).toEqual({ kind: 'adopt', standing: stored });
  });

  test('begins an edited file at its own weights, under the next version', () => {
    const stored = standingOf(FILE, { weights: { v1: 0, v2: 100 } });
    expect(step({ file: EDITED }, stored)).toMatchObject({
      kind: 'write',
      standing: {
        version: 3,
        fileDigest: EDITED.digest,
        split: { weights: { v1: 90, v2: 10 } },
        cause: { action: 'edit' },
      },
    });
  });
});

describe('a replica that runs', () => {
  test('takes up a later version, and leaves the same one alone', () => {
    const held = standingOf(FILE);
    const later = standingOf(FILE, { status: 'paused' }, 2);
    expect(step({ held }, later)).toEqual({ kind: 'adopt', standing: later });
    expect(step({ held }, held)).toEqual({ kind: 'keep' });
  });

  test('brings back what the store has lost, under the same version, and marks it', () => {
    const held = standingOf(FILE, { weights: { v1: 50, v2: 50 } }, 3);
    for (const stored of [undefined, standingOf(FILE, {}, 1)]) {
      expect(step({ held }, stored)).toMatchObject({
        kind: 'write',
        standing: {
          id: 'new',
          version: held.version,
          split: held.split,
          isRecovered: true,
          cause: { action: 'recover' },
        },
      });
    }
  });

  test('of two changes of one version, made while the store had forgotten one, takes the store’s, under a version that nothing had', () => {
    const [held, stored] = [standingOf(FILE), standingOf(FILE, { status: 'paused' })];
    expect(held.version).toBe(stored.version);
    expect(step({ held }, stored)).toMatchObject({
      kind: 'write',
      standing: { id: 'new', version: held.version + 1, split: stored.split, isRecovered: false },
    });
    // Brought back by another replica, it is the same.
    const brought = { ...held, id: 'brought back', isRecovered: true };
    expect(step({ held }, brought)).toEqual({ kind: 'adopt', standing: brought });
  });

  test('holds to what was changed after the store had lost a later version', () => {
    const held = standingOf(FILE, { weights: { v1: 50, v2: 50 } }, 4);
    const before = standingOf(FILE, { status: 'paused' }, 2);
    const stored = { ...before, cause: { ...before.cause, at: '2026-11-25T12:00:09.000Z' } };
    expect(step({ held }, stored)).toMatchObject({
      kind: 'write',
      standing: { version: held.version + 1, split: stored.split, cause: { action: 'recover' } },
    });
    expect(step({ held }, { ...stored, isRecovered: true })).toMatchObject({
      standing: { version: held.version, split: held.split, isRecovered: true },
    });
  });

  test('keeps its weights while others have a newer file, and takes that file’s when it has it too', () => {
    const held = standingOf(FILE, { weights: { v1: 100, v2: 0 } });
    const stored = firstStanding(EDITED, held, AT);
    expect(step({ held }, stored)).toEqual({ kind: 'keep' });
    const edited = { file: EDITED, held: firstStanding(EDITED, held, AT), isUnsaved: true };
    expect(step(edited, stored)).toEqual({ kind: 'keep' });
    const promoted = { ...stored, version: 9, id: 'by hand' };
    expect(step(edited, promoted)).toEqual({ kind: 'adopt', standing: promoted });
  });

  test('an edit that the store has not seen is written, and two replicas that read it write the same', () => {
    const held = standingOf(FILE, {}, 4);
    const ofEdit = (later: string) => firstStanding(EDITED, held, later);
    expect(ofEdit('2026-11-25T12:00:01Z').id).toBe(ofEdit('2026-11-25T12:00:02Z').id);
    const known = { file: EDITED, held: ofEdit(AT), isUnsaved: true };
    expect(step(known, held)).toMatchObject({ kind: 'write', standing: { version: 6, id: ofEdit(AT).id } });
    // The store was restored from an old copy meanwhile: versions don't go back.
    expect(step(known, standingOf(FILE))).toMatchObject({ kind: 'write', standing: { version: 6 } });
    expect(step(known, undefined)).toMatchObject({
      kind: 'write',
      standing: { version: 6, isRecovered: false },
    });
  });
});
