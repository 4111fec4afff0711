import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Outcome } from '../../../experiments/stores/ledger.ts';
import { OutcomeWriter } from '../../../gateway/outcomes/outcome-writer.ts';
import { SpoolPlace } from '../../../gateway/state/spool-place.ts';
import { Spool } from '../../../gateway/state/spool.ts';
import { outcome } from '../../experiments/stores/samples.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import { eventually } from '../running-gateway.ts';

const named = (uid: string): Outcome => outcome('a-test', { uid });

async function opened(folder: string): Promise<Spool<Outcome>> {
  const spool = new Spool<Outcome>(new SpoolPlace(folder), 'outcomes');
  await spool.open();
  return spool;
}

/** Takes what it is given, and remembers it. */
function receiver(): {
  readonly uids: string[];
  readonly deliver: (outcomes: readonly Outcome[]) => Promise<void>;
} {
  const uids: string[] = [];
  return {
    uids,
    deliver: (outcomes) => {
      uids.push(...outcomes.map(({ uid }) => uid));
      return Promise.resolve();
    },
  };
}

test('two processes of one folder keep their outcomes apart: what either acknowledged is delivered', async () => {
  await using folder = await temporaryFolder();
  const a = await opened(folder.path);
  const b = await opened(folder.path);
  await a.append([named('a1')]);
  await b.append([named('b1')]);
  const fromB = receiver();
  await b.deliver(fromB.deliver);
  await a.append([named('a2')]);
  const fromA = receiver();
  await a.deliver(fromA.deliver);
  expect(fromB.uids).toEqual(['b1']);
  expect(fromA.uids).toEqual(['a1', 'a2']);
  expect([a.size, b.size]).toEqual([0, 0]);
  await Promise.all([a.close(), b.close()]);
});

test('a process that was killed leaves its place, and its outcomes to whoever lives', async () => {
  await using folder = await temporaryFolder();
  const other = new URL('./spool-process.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [other, folder.path], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  const living = await opened(folder.path);
  // Its process lives, and they are its own to deliver.
  expect(living.size).toBe(0);
  const taken = receiver();
  const writer = new OutcomeWriter({
    record: async (outcomes) => {
      await taken.deliver(outcomes);
      return outcomes.map(() => 'accepted');
    },
    spool: living,
    log: { warn: () => undefined, info: () => undefined },
    adoptEveryMs: 20,
  });
  await writer.open();
  child.kill('SIGKILL');
  await once(child, 'exit');
  await eventually(() => taken.uids.length > 0);
  expect(taken.uids).toEqual(['killed']);
  const next = new SpoolPlace(folder.path);
  expect(await next.hold()).toBe(folder.path);
  next.release();
  await writer.close();
});

test('a place that can not be had at the start is taken when it can be', async () => {
  await using folder = await temporaryFolder({ blocked: 'a file where a folder should be' });
  const spool = new Spool<Outcome>(new SpoolPlace(join(folder.path, 'blocked/spool')), 'outcomes');
  await expect(spool.open()).rejects.toThrow();
  await expect(spool.append([named('early')])).rejects.toThrow();
  await rm(join(folder.path, 'blocked'));
  await spool.append([named('later')]);
  const taken = receiver();
  await spool.deliver(taken.deliver);
  expect(taken.uids).toEqual(['later']);
  await spool.close();
});

test('what comes while the rest is delivered is delivered too, however the two meet', async () => {
  await using folder = await temporaryFolder();
  const spool = await opened(folder.path);
  const taken = receiver();
  const names = Array.from({ length: 300 }, (_, index) => `outcome ${index}`);
  for (const name of names) await Promise.all([spool.deliver(taken.deliver), spool.append([named(name)])]);
  await spool.deliver(taken.deliver);
  expect(taken.uids).toEqual(names);
  expect(spool.size).toBe(0);
  await spool.close();
});

test('deliveries that are asked for at once are made one after the other: nothing is delivered twice, or counted as delivered before it is', async () => {
  await using folder = await temporaryFolder();
  const spool = await opened(folder.path);
  const taken = receiver();
  const { promise: isBack, resolve: comesBack } = Promise.withResolvers<undefined>();
  const whenBack = async (outcomes: readonly Outcome[]): Promise<void> => {
    await isBack;
    await taken.deliver(outcomes);
  };
  await spool.append([named('first')]);
  const first = spool.deliver(whenBack);
  await spool.append([named('second')]);
  const second = spool.deliver(whenBack);
  await spool.append([named('third')]);
  const third = spool.deliver(whenBack);
  comesBack(undefined);
  await Promise.all([first, second, third]);
  expect(taken.uids).toEqual(['first', 'second', 'third']);
  expect(spool.size).toBe(0);
  await spool.close();
});

test('a large spool is delivered in pieces between which the process does other things', async () => {
  await using folder = await temporaryFolder();
  await mkdir(folder.path, { recursive: true });
  const line = `${JSON.stringify(named('many'))}\n`;
  const file = join(folder.path, 'outcomes.1.jsonl');
  await writeFile(file, '');
  for (let part = 0; part < 20; part++) await appendFile(file, line.repeat(3000));
  const spool = await opened(folder.path);
  expect(spool.size).toBe(60_000);
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  let calls = 0;
  let delivered = 0;
  let most = 0;
  await spool.deliver((outcomes) => {
    calls += 1;
    delivered += outcomes.length;
    most = Math.max(most, outcomes.length);
    return Promise.resolve();
  });
  isOver = true;
  expect(delivered).toBe(60_000);
  expect(most).toBeLessThan(2000);
  // The event loop goes round between two pieces.
  expect(turns).toBeGreaterThanOrEqual(calls);
  expect(await readdir(folder.path)).toEqual(['lock']);
  await spool.close();
});
