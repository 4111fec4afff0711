import { pino } from 'pino';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { carryOut } from '../../../experiments/standing/command.ts';
import type { Command } from '../../../experiments/standing/command.ts';
import type { Situation } from '../../../experiments/standing/in-force.ts';
import { standingKey } from '../../../experiments/standing/standing.ts';
import { MemoryStore } from '../../../experiments/stores/memory/memory-store.ts';
import { StoreUnavailable } from '../../../experiments/stores/state-store.ts';
import { HeldStanding } from '../../../gateway/standing/held-standing.ts';
import type { HeldStandingOptions } from '../../../gateway/standing/held-standing.ts';
import type { StandingChange } from '../../../gateway/standing/standing-change.ts';
import { BY_HAND, written } from '../../experiments/standing/samples.ts';

const FILE = written();
const EDITED = written({ coverage: 0.5 });

const obey =
  (action: 'pause' | 'resume' | 'rollback') =>
  (situation: Situation): ReturnType<typeof carryOut> => {
    const command: Command = { action };
    return carryOut(command, situation, 0);
  };

let store: MemoryStore;

beforeEach(() => {
  store = new MemoryStore();
});

/** Where an experiment stands on one replica of those that share the store, and what it told. */
function replica(file = FILE, options: Partial<HeldStandingOptions> = {}) {
  const onHeld = vi.fn<(change: StandingChange) => void>();
  const onStored = vi.fn<() => void>();
  const log = pino({ level: 'silent' });
  const held = new HeldStanding(file, {
    store,
    kept: undefined,
    log,
    nowMs: () => 0,
    onStored,
    onHeld,
    ...options,
  });
  return { held, onHeld, onStored };
}

/** Has something else happen before the store's next write. */
function before(somethingElse: () => unknown): void {
  vi.spyOn(store, 'writeDocument').mockImplementationOnce(async (...write) => {
    await somethingElse();
    return store.writeDocument(...write);
  });
}

describe('a change', () => {
  test('is decided again on what another replica has made of it, where that one was first', async () => {
    const [one, other] = [replica(), replica()];
    await one.held.sync();
    before(() => other.held.change(obey('pause'), { cause: BY_HAND }));
    const decide = vi.fn(obey('rollback'));
    expect(await one.held.change(decide, { cause: BY_HAND })).toMatchObject({
      kind: 'changed',
      before: { version: 2, split: { status: 'paused' } },
      after: { version: 3, split: { status: 'completed' } },
    });
    expect(decide.mock.calls.map(([{ standing }]) => standing.split.status)).toEqual(['running', 'paused']);
  });

  test('is told with its entry of the audit log once it is in the store, and no sooner', async () => {
    const { held, onHeld } = replica();
    await held.sync();
    onHeld.mockClear();
    onHeld.mockImplementation(({ after }) => {
      expect(after.version).toBe(2);
    });
    await held.change(obey('pause'), { cause: BY_HAND });
    expect(onHeld).toHaveBeenCalledTimes(1);
    const [change] = onHeld.mock.calls.flat();
    expect(change).toMatchObject({ before: { version: 1 }, records: [{ action: BY_HAND.action }] });
    expect((await store.readDocument(standingKey('digits-cnn')))?.value).toEqual(change?.after);
    expect((await store.readAudit(0, 10)).at(-1)?.entry).toEqual(change?.records[0]);
  });

  test('that is only tried says what would come of it, and changes nothing', async () => {
    const { held, onHeld } = replica();
    await held.sync();
    onHeld.mockClear();
    const tried = await held.change(obey('pause'), { cause: BY_HAND, isDryRun: true });
    expect(tried).toMatchObject({ kind: 'changed', after: { version: 2, split: { status: 'paused' } } });
    expect(held.standing).toMatchObject({ version: 1, split: { status: 'running' } });
    expect((await store.readDocument(standingKey('digits-cnn')))?.version).toBe(1);
    expect(onHeld).not.toHaveBeenCalled();
  });

  test('of an experiment whose file another replica has in another text is not made', async () => {
    const [one, other] = [replica(), replica()];
    await one.held.sync();
    await other.held.sync();
    other.held.takeFile(EDITED);
    await other.held.sync();
    expect(await one.held.change(obey('pause'), { cause: BY_HAND })).toEqual({ kind: 'other_file' });
    expect([one.held.isOutdated, other.held.isOutdated]).toEqual([true, false]);
    one.held.takeFile(EDITED);
    await one.held.sync();
    expect(one.held.isOutdated).toBe(false);
  });

  test('that fails at the store leaves what is in force, and the next one is made all the same', async () => {
    const { held } = replica();
    await held.sync();
    const lost = vi.spyOn(store, 'writeDocument').mockRejectedValueOnce(new StoreUnavailable('it is away'));
    await expect(held.change(obey('pause'), { cause: BY_HAND })).rejects.toThrow('it is away');
    expect(held.standing?.split.status).toBe('running');
    expect(await held.change(obey('pause'), { cause: BY_HAND })).toMatchObject({ kind: 'changed' });
    expect(lost).toHaveBeenCalledTimes(2);
  });
});

describe('an edit of the file', () => {
  test('is in force at once, with its own weights, and in the store after the next asking', async () => {
    const { held } = replica();
    await held.sync();
    await held.change(obey('rollback'), { cause: BY_HAND });
    expect(held.takeFile(EDITED)).toBe(true);
    expect(held.standing).toMatchObject({
      version: 3,
      split: { status: 'running' },
      cause: { action: 'edit' },
    });
    expect((await store.readDocument(standingKey('digits-cnn')))?.value).toMatchObject({ version: 2 });
    await held.sync();
    expect((await store.readDocument(standingKey('digits-cnn')))?.value).toEqual(held.standing);
  });

  test('that comes while a change is being stored is not undone by it', async () => {
    const one = replica();
    await one.held.sync();
    before(() => one.held.takeFile(EDITED));
    await one.held.change(obey('rollback'), { cause: BY_HAND });
    expect(one.held.situation).toMatchObject({
      experiment: { coverage: 0.5 },
      standing: { fileDigest: EDITED.digest, split: { status: 'running' } },
    });
  });

  test('into the same text is none', async () => {
    const { held } = replica();
    await held.sync();
    const before = held.standing;
    expect(held.takeFile({ ...FILE })).toBe(false);
    expect(held.standing).toBe(before);
  });
});

describe('where the store was never reached', () => {
  test('and nothing is kept, nobody knows where it stands, which is told once', () => {
    const log = pino({ level: 'silent' });
    const error = vi.spyOn(log, 'error');
    const { held } = replica(FILE, { log });
    expect([held.standAsKept(), held.standAsKept()]).toEqual([false, false]);
    expect(held.situation).toBeUndefined();
    expect(error).toHaveBeenCalledTimes(1);
  });
});

test('what is not served any more is not listened to', async () => {
  const [one, other] = [replica(), replica()];
  await one.held.sync();
  expect(one.onStored).toHaveBeenCalled();
  one.onStored.mockClear();
  one.held.close();
  await other.held.change(obey('pause'), { cause: BY_HAND });
  expect(one.onStored).not.toHaveBeenCalled();
  expect(other.onStored).toHaveBeenCalled();
});
