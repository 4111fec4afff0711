/**
 * A rollout that moves by itself, on three gateways that share a real Redis, one of them with its clock an hour ahead. Whatever happens to them:
 * one writes at a time, no step is skipped, done twice or lost, and the weights are those of the last one.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RolloutState, RolloutStateKind } from '../../experiments/rollouts/state.ts';
import { eventually } from '../gateway/running-gateway.ts';
import { fragileModel } from '../models/small-models.ts';
import { startCuttableLink } from '../servers/cuttable-link.ts';
import type { CuttableLink } from '../servers/cuttable-link.ts';
import { findFaketime, offBy } from '../servers/faketime.ts';
import { findRedis, startRedis } from '../servers/redis-server.ts';
import type { RunningRedis } from '../servers/redis-server.ts';
import { leaseHolder } from './lease-holder.ts';
import { Replica, USERS } from './replica.ts';
import type { AuditLine } from './replica.ts';
import { rolloutFiles } from './walking-rollout.ts';
import { expectWhole } from './whole-history.ts';

const found = await findRedis();
const faketime = await findFaketime();
const program = found.kind === 'found' ? found.program : '';

const WEIGHTS = [2, 5, 10, 15, 20, 30, 40, 50, 55, 60, 65, 70, 80, 90];
const PAUSE_MS = 500;
const FLOOR = 5;
/** What a replica writes into its log when it comes to lead. */
const ELECTED = 'this replica drives the rollouts';
/** What two replicas may be apart in what they take the Redis' time to be: on a busy machine, just after they have connected again. */
const CLOCK_ERROR_MS = 250;

const FILES = rolloutFiles(
  FLOOR,
  WEIGHTS.flatMap((setWeight) => [{ setWeight }, { pause: { duration: `${PAUSE_MS}ms` } }]),
);

const ALL_V1 = USERS.map(() => '200 digits-cnn=v1');
const ALL_V2 = USERS.map(() => '200 digits-cnn=v2');

describe.skipIf(found.kind === 'missing')('a rollout on three gateways with one Redis', () => {
  let redis: RunningRedis;
  let client: Redis;
  let links: readonly CuttableLink[] = [];
  let replicas: Replica[] = [];

  const leader = (): Promise<number> => leaseHolder(client, 'rollouts', replicas);
  const leaseExpires = async (): Promise<number> =>
    Number(await client.hget('signalbox:{state}:lease:rollouts', 'expires'));
  const at = (index: number): Replica => {
    const replica = replicas[index];
    if (replica === undefined) throw new Error(`there is no replica ${index}`);
    return replica;
  };
  const stateOf = async (replica: Replica): Promise<RolloutState | undefined> =>
    (await replica.told()).standing.rollout?.state;
  const all = async (kind: RolloutStateKind): Promise<boolean> =>
    (await Promise.all(replicas.map(stateOf))).every((state) => state?.kind === kind);
  /** A walk that came to its end has passed every step. */
  const stepOf = (state: RolloutState | undefined): number => {
    if (state?.kind === 'promoting' || state?.kind === 'succeeded') return Infinity;
    return state !== undefined && 'at' in state ? state.at.step : -1;
  };
  /** Waits until a replica is told to stand at that step, or further. */
  const reaches = (replica: Replica, step: number): Promise<void> =>
    eventually(async () => stepOf(await stateOf(replica)) >= step);

  const end = async (): Promise<void> => {
    await at(0).command('rollback', 'the test is over');
    await eventually(async () => (await all('aborted')) || (await all('rolled_back')));
  };
  /** How often each replica has come to lead, by its process' id: on a busy machine one may lose its lease by itself, and get it again. */
  const elections = (): ReadonlyMap<string, number> =>
    new Map(replicas.map(({ pid, running }) => [String(pid), running.stderr().split(ELECTED).length - 1]));
  let electionsBefore: ReadonlyMap<string, number> = new Map();
  let ledBefore = '';
  /** A new walk through the plan, once there is a leader. */
  const begin = async (): Promise<number> => {
    await end();
    electionsBefore = elections();
    ledBefore = String(at(await leader()).pid);
    const { body } = await at(0).command('resume', 'again');
    return body.weightsVersion;
  };

  /** The history since a version, once every replica has all of it in its file; it has to be in order. */
  const historySince = async (version: number): Promise<readonly AuditLine[]> => {
    const { weightsVersion } = await at(0).told();
    const now = elections();
    // Who led when it began, and each time since that it came to lead again; of a process that is dead that is not known.
    const turnsOf = (pid: string): number =>
      Number(pid === ledBefore) + Math.max(0, (now.get(pid) ?? 0) - (electionsBefore.get(pid) ?? 0));
    const histories = await Promise.all(
      replicas.map(async (replica) => {
        await eventually(async () => (await replica.history()).at(-1)?.after.version === weightsVersion);
        return replica.history();
      }),
    );
    for (const history of histories) {
      expectWhole(history.filter(({ action }) => action !== 'recover'));
      expectInOrder(
        history.filter(({ after }) => after.version > version),
        turnsOf,
      );
    }
    return (histories[0] ?? []).filter(({ after }) => after.version > version);
  };

  beforeAll(async () => {
    redis = await startRedis(program);
    client = new Redis(redis.url);
    links = await Promise.all([0, 1, 2].map(() => startCuttableLink(() => redis.port)));
    replicas = await Promise.all(
      links.map(({ port }, index) =>
        Replica.start({
          state: `redis://127.0.0.1:${port}/0`,
          files: FILES,
          ...(index === 2 && faketime.kind === 'found' && { env: offBy(faketime.program, 3600) }),
        }),
      ),
    );
  }, 180_000);
  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.end()));
    await Promise.all(links.map((link) => link[Symbol.asyncDispose]()));
    client.disconnect();
    await redis[Symbol.asyncDispose]();
  });

  test('a hard floor that is met on a follower takes the version back from all of them', async () => {
    const version = await begin();
    await reaches(at(0), 3);
    const leading = await leader();
    const follower = at((leading + 1) % 3);
    let failedMs = performance.now();
    // The walk goes on meanwhile, and each of its steps counts anew: asked one after the other, a busy machine had it at its end before.
    await eventually(async () => {
      await Promise.all(
        USERS.map(async (user) => {
          // Version 1 takes it; whom the weights send to version 2 gets an error.
          if ((await follower.infer({ 'x-user-id': user }, 9)).startsWith('500'))
            failedMs = performance.now();
        }),
      );
      const assignments = await Promise.all(replicas.map((replica) => replica.assignment()));
      return assignments.every((assignment) => isDeepStrictEqual(assignment, ALL_V1));
    });
    const everywhereMs = performance.now() - failedMs;
    await eventually(() => all('rolled_back'));
    const history = await historySince(version);
    const back = history.find(({ action }) => action === 'rollout.rolling_back');
    expect(back).toMatchObject({
      reason: `hard_floor: v2: ${FLOOR} requests in a row failed`,
      actor: { kind: 'rollout', id: expect.stringContaining(`:${follower.pid}:`) as string },
    });
    process.stdout.write(
      `a floor that was met on a follower: all three were back within ${Math.round(everywhereMs)} ms\n`,
    );
  });

  test('a leader that is killed is followed, and the walk goes on to its end', async () => {
    const version = await begin();
    await reaches(at(0), 3);
    const first = await leader();
    const watcher = at((first + 1) % 3);
    const before = stepOf(await stateOf(watcher));
    await at(first).kill();
    const killedMs = performance.now();
    await reaches(watcher, before + 2);
    const followedMs = performance.now() - killedMs;
    replicas[first] = await at(first).again();
    await eventually(() => all('succeeded'));
    for (const replica of replicas) expect(await replica.assignment()).toEqual(ALL_V2);
    const history = await historySince(version);
    expect(leadersOf(history).length).toBeGreaterThanOrEqual(2);
    expect(history.filter(({ action }) => action === 'rollout.paused').map(stepAfter)).toEqual(
      WEIGHTS.map((_, index) => 2 * index + 1),
    );
    process.stdout.write(`a killed leader was followed by a step after ${Math.round(followedMs)} ms\n`);
  });

  test.each([
    [
      'stopped',
      (index: number) => {
        at(index).signal('SIGSTOP');
      },
      (index: number) => {
        at(index).signal('SIGCONT');
      },
    ],
    [
      'cut off from Redis',
      (index: number) => {
        links[index]?.cut();
      },
      (index: number) => {
        links[index]?.mend();
      },
    ],
  ])(
    'a leader that is %s for longer than its lease writes nothing when it is back',
    async (_, take, giveBack) => {
      const version = await begin();
      let first = 0;
      // Whoever made the step before may not lead any more: this one has to have made one itself.
      await eventually(async () => {
        first = await leader();
        const last = (await at(first).history()).at(-1);
        return last !== undefined && last.after.version > version && madeBy(last, at(first));
      });
      const watcher = at((first + 1) % 3);
      const before = stepOf(await stateOf(watcher));
      take(first);
      await reaches(watcher, before + 2);
      giveBack(first);
      // It has looked again and again by the time at which it sees the next step.
      await reaches(at(first), stepOf(await stateOf(watcher)) + 2);
      await end();
      const history = await historySince(version);
      // That it writes nothing unless it is elected again is part of the history's order.
      expect(new Set(leadersOf(history)).size).toBeGreaterThanOrEqual(2);
    },
  );

  test('while Redis hangs the weights stay and no step is taken; it goes on where it stood', async () => {
    const version = await begin();
    await reaches(at(0), 3);
    // One that has yet to hear of the last step would take it while Redis hangs, as it may.
    await eventually(async () => {
      const told = await Promise.all(replicas.map((replica) => replica.told()));
      return new Set(told.map(({ weightsVersion }) => weightsVersion)).size === 1;
    });
    const toldBefore = replicas.map(({ running }) => running.stderr().length);
    redis.freeze();
    // What Redis had said before it froze may still be taken up.
    const assigned = () => Promise.all(replicas.map((replica) => replica.assignment()));
    let held = await assigned();
    await eventually(async () => {
      const before = held;
      held = await assigned();
      return isDeepStrictEqual(before, held);
    });
    await eventually(() =>
      replicas.some(({ running }, index) =>
        running.stderr().slice(toldBefore[index]).includes('so the rollouts hold'),
      ),
    );
    expect(await assigned()).toEqual(held);
    const stoodAt = stepOf(await stateOf(at(0)));
    redis.thaw();
    await reaches(at(0), stoodAt + 2);
    await end();
    await historySince(version);
  });

  test('Redis comes back empty: weights stay, the rollout holds until a person says so, and goes on where it stood', async () => {
    const version = await begin();
    await reaches(at(0), 3);
    await redis.lose();
    // Whoever is a step behind may seed first; the one that is ahead then brings back its own.
    await eventually(async () => {
      const told = await Promise.all(replicas.map((replica) => replica.told()));
      return (
        told.every(({ standing }) => standing.isRecovered) &&
        new Set(told.map(({ weightsVersion }) => weightsVersion)).size === 1
      );
    });
    const held = await at(0).told();
    for (const replica of replicas) {
      expect(await replica.told()).toMatchObject({
        weightsVersion: held.weightsVersion,
        standing: { rollout: held.standing.rollout },
      });
    }
    // Who leads now has looked more than once when it renews its lease, and the pause was over by then.
    await leader();
    const expires = await leaseExpires();
    await eventually(async () => (await leaseExpires()) > expires);
    expect((await at(1).told()).weightsVersion).toBe(held.weightsVersion);
    const stoodAt = stepOf(held.standing.rollout?.state);
    expect((await at(1).command('resume', 'it was only the store')).status).toBe(200);
    await reaches(at(0), stoodAt + 2);
    await end();
    await historySince(version);
  });

  test('a follower that can’t answer for the version holds the rollout where it is, until it can', async () => {
    const version = await begin();
    await reaches(at(0), 1);
    const leading = await leader();
    const follower = at((leading + 1) % 3);
    const toldBefore = at(leading).running.stderr().length;
    await rm(join(follower.folder.path, 'models/digits/2'), { recursive: true });
    await eventually(() => at(leading).running.stderr().slice(toldBefore).includes('nobody gets more of it'));
    const held = await at(leading).told();
    const expires = await leaseExpires();
    await eventually(async () => (await leaseExpires()) > expires);
    expect(await at(leading).told()).toEqual(held);
    for (const answer of await follower.assignment()) expect(answer).toBe('200 digits-cnn=v1');
    const byHand = await at(leading).command('promote', 'by hand');
    expect(byHand.status).toBe(409);
    expect(byHand.body.error).toMatch(
      new RegExp(
        `v2 of digits-cnn would get more units, but replica .*:${follower.pid}:.* can't answer for it`,
      ),
    );
    await follower.folder.write({ 'models/digits/2/model.onnx': fragileModel() });
    await reaches(at(0), stepOf(held.standing.rollout?.state) + 2);
    await end();
    await historySince(version);
  });

  test('a version that is gone where the leader is loses its share everywhere, and gets none again', async () => {
    const version = await begin();
    await reaches(at(0), 3);
    const index = await leader();
    await rm(join(at(index).folder.path, 'models/digits/2'), { recursive: true });
    await eventually(() => all('rolled_back'));
    for (const replica of replicas) expect(await replica.assignment()).toEqual(ALL_V1);
    const history = await historySince(version);
    expect(history.at(-1)?.reason).toMatch(/^variant_not_ready: v2 can't answer/);
    expect(await at(index).command('promote', 'anyway')).toMatchObject({
      status: 409,
      body: { error: expect.stringContaining("v2 can't answer") as string },
    });
  });
});

function stepAfter({ after }: AuditLine): number {
  const state = after.rollout?.state;
  return state !== undefined && 'at' in state ? state.at.step : -1;
}

/** Who took the steps that a leader takes, each once for a row of them. */
function leadersOf(history: readonly AuditLine[]): readonly string[] {
  return history
    .filter(({ actor, reason }) => actor.kind === 'rollout' && !reason.startsWith('hard_floor'))
    .map(({ actor }) => actor.id)
    .filter((id, index, ids) => id !== ids[index - 1]);
}

function madeBy({ actor }: AuditLine, { pid }: Replica): boolean {
  return actor.kind === 'rollout' && actor.id.split(':')[1] === String(pid);
}

/** Each entry begins where the one before ended; who no longer leads never writes until it leads again; a pause leads to the next one, and lasts. */
function expectInOrder(history: readonly AuditLine[], turnsOf: (pid: string) => number): void {
  const turns = Map.groupBy(leadersOf(history), (id) => id.split(':')[1] ?? '');
  for (const [pid, written] of turns) expect(written.length, pid).toBeLessThanOrEqual(turnsOf(pid));
  history.slice(1).forEach((entry, index) => {
    const before = history[index];
    if (before === undefined || entry.action === 'recover') return;
    expect(entry.before?.rollout).toEqual(before.after.rollout);
    if (!entry.reason.startsWith('pause_over')) return;
    const next = stepAfter(entry);
    if (entry.action === 'rollout.paused') expect(next).toBe(stepAfter(before) + 2);
    expect(Date.parse(entry.at) - Date.parse(before.at)).toBeGreaterThanOrEqual(PAUSE_MS - CLOCK_ERROR_MS);
  });
}
