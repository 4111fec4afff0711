import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openStore } from '../../../experiments/stores/open-store.ts';
import type { StateAddress } from '../../../experiments/stores/open-store.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import { findRedis, startRedis } from '../../servers/redis-server.ts';
import { METRICS, START_MS, newExperiment, outcome } from './samples.ts';

const WRITER = fileURLToPath(new URL('./outcome-process.ts', import.meta.url));
const ROUNDS = 8;

const found = await findRedis();

/** Runs a writer, and kills it right after it has told of so many outcomes; returns the highest one that it told of. */
async function runAndKill(
  address: StateAddress,
  experiment: string,
  first: number,
  acknowledgements: number,
): Promise<readonly number[]> {
  const child = spawn(process.execPath, [WRITER, JSON.stringify(address), experiment, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const told: number[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const [status, number] = line.split(' ');
    expect(status).toBe('accepted');
    told.push(Number(number));
    if (told.length >= acknowledgements) child.kill('SIGKILL');
  }
  await exited;
  return told;
}

/** What was told is there, each outcome once, and the sums are those of what is there. */
async function checkAfterKills(address: StateAddress): Promise<void> {
  const experiment = newExperiment();
  const told: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    // Early in some rounds, and in the middle of the work in others.
    const acknowledgements = 1 + Math.floor(Math.random() * 200);
    told.push(...(await runAndKill(address, experiment, round * 100_000, acknowledgements)));
  }
  expect(new Set(told).size).toBe(told.length);
  const store = await openStore(address);
  const before = await store.tallies(experiment, 1, METRICS, START_MS);
  const v1 = before.epochs[0]?.variants.v1;
  const counted = v1?.metrics.correct?.units ?? 0;
  expect(counted).toBeGreaterThanOrEqual(told.length);
  expect(v1?.metrics.correct?.sumX).toBe(counted);
  // An exposure may have been written whose outcome was not.
  expect(v1?.units).toBeGreaterThanOrEqual(counted);
  const again = told.map((number) => {
    const unit = number.toString(16).padStart(16, '0');
    return outcome(experiment, { unit, uid: unit });
  });
  expect(new Set(await store.recordOutcomes(again))).toEqual(new Set(['duplicate']));
  const after = await store.tallies(experiment, 1, METRICS, START_MS);
  expect(after.epochs).toEqual(before.epochs);
  await store.close();
}

describe('a process that is killed at any moment loses nothing that it acknowledged', () => {
  test('SQLite', async () => {
    await using folder = await temporaryFolder();
    await checkAfterKills({ kind: 'sqlite', file: join(folder.path, 'state.db') });
  });

  test.skipIf(found.kind === 'missing')('Redis', async () => {
    if (found.kind === 'missing') return;
    await using redis = await startRedis(found.program);
    await checkAfterKills({ kind: 'redis', url: redis.url });
  });
});
