/** How long after a hard floor was met on a replica that doesn't lead nobody gets the version any more, on any of three replicas. */
import { cpus, loadavg } from 'node:os';
import { Redis } from 'ioredis';
import { Replica, USERS } from '../../test/chaos/replica.ts';
import { rolloutFiles } from '../../test/chaos/walking-rollout.ts';
import { eventually } from '../../test/gateway/running-gateway.ts';
import { findRedis, startRedis } from '../../test/servers/redis-server.ts';
import { print, printFigure } from '../report.ts';

const FLOORS = Number(process.env.FLOORS ?? 20);
const CONSECUTIVE_ERRORS = 5;
/** Inputs that version 2 answers, and fails at. */
const [GOOD, BAD] = [1, 9];
const OF_V2 = 'digits-cnn=v2';

const FILES = rolloutFiles(CONSECUTIVE_ERRORS, [{ setWeight: 50 }, { pause: {} }]);

/** Starts the walk, and waits until every replica sends half of the users to version 2. */
async function rollOut(replicas: readonly Replica[], reason: string): Promise<void> {
  // It may have begun by itself, and to resume a walk that waits would be to approve it.
  await replicas[0]?.command('rollback', reason);
  await eventually(() => isOver(replicas));
  const asked = await replicas[0]?.command('resume', reason);
  if (asked?.status !== 200) throw new Error(`the rollout didn't begin: ${asked?.body.error ?? ''}`);
  await eventually(async () =>
    (await Promise.all(replicas.map((replica) => replica.told()))).every(
      ({ standing }) => standing.rollout?.state.kind === 'waiting_for_approval',
    ),
  );
}

async function isOver(replicas: readonly Replica[]): Promise<boolean> {
  const told = await Promise.all(replicas.map((replica) => replica.told()));
  return told.every(({ standing }) =>
    ['rolled_back', 'aborted'].includes(standing.rollout?.state.kind ?? ''),
  );
}

/** A user who gets version 2. */
async function userOfV2(replica: Replica): Promise<string> {
  const answers = await replica.assignment();
  const user = USERS.find((_, index) => answers[index]?.endsWith(OF_V2));
  if (user === undefined) throw new Error('nobody gets version 2');
  return user;
}

/** @returns when the user was first answered by another version there; it is asked without a pause */
async function takenBackMs(replica: Replica, user: string): Promise<number> {
  while ((await replica.infer({ 'x-user-id': user }, GOOD)).endsWith(OF_V2));
  return performance.now();
}

interface Floor {
  readonly onFollowerMs: number;
  readonly everywhereMs: number;
}

/** Counted from the moment that the last of the failing requests was sent. */
async function meetFloor(replicas: readonly Replica[], follower: Replica, user: string): Promise<Floor> {
  let sentMs = 0;
  for (let count = 0; count < CONSECUTIVE_ERRORS; count += 1) {
    sentMs = performance.now();
    const answer = await follower.infer({ 'x-user-id': user }, BAD);
    if (!answer.startsWith('500')) throw new Error(`an input that fails was answered ${answer}`);
  }
  const times = await Promise.all(
    replicas.map(async (replica) => (await takenBackMs(replica, user)) - sentMs),
  );
  return {
    onFollowerMs: times[replicas.indexOf(follower)] ?? Number.NaN,
    everywhereMs: Math.max(...times),
  };
}

function printQuantiles(what: string, times: readonly number[]): void {
  const sorted = times.toSorted((a, b) => a - b);
  const quantile = (share: number): string =>
    (sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN).toFixed(1);
  printFigure(what, `p50 ${quantile(0.5)} ms, p99 ${quantile(0.99)} ms`);
}

async function main(): Promise<void> {
  const found = await findRedis();
  if (found.kind === 'missing') throw new Error(found.reason);
  await using redis = await startRedis(found.program);
  const client = new Redis(redis.url);
  const replicas = await Promise.all([0, 1, 2].map(() => Replica.start({ state: redis.url, files: FILES })));
  try {
    const floors: Floor[] = [];
    for (let count = 0; count < FLOORS; count += 1) {
      await rollOut(replicas, `floor ${count}`);
      const holder = await client.hget('signalbox:{state}:lease:rollouts', 'holder');
      const followers = replicas.filter(({ pid }) => pid !== Number(holder?.split(':')[1]));
      const follower = followers[count % followers.length];
      if (followers.length !== 2 || follower === undefined) throw new Error('nobody leads');
      floors.push(await meetFloor(replicas, follower, await userOfV2(follower)));
      await eventually(() => isOver(replicas));
    }
    const load = loadavg()[0]?.toFixed(1) ?? '';
    print(
      `${cpus()[0]?.model.trim() ?? 'unknown'}, ${cpus().length} CPUs, load ${load}, Node ${process.versions.node}`,
    );
    print(
      `${FLOORS} floors of ${CONSECUTIVE_ERRORS} errors in a row, met on a follower; from the last failing request until its user gets the control:`,
    );
    printQuantiles(
      'on the follower',
      floors.map(({ onFollowerMs }) => onFollowerMs),
    );
    printQuantiles(
      'on the last of three replicas',
      floors.map(({ everywhereMs }) => everywhereMs),
    );
  } finally {
    client.disconnect();
    await Promise.all(replicas.map((replica) => replica.end()));
  }
}

await main();
