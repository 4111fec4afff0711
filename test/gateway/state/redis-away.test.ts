import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findRedis, startRedis } from '../../servers/redis-server.ts';
import type { RunningRedis } from '../../servers/redis-server.ts';
import { command } from '../faces/admin-client.ts';
import { MEASURED_FILES, predict, sendOutcomes, tallies } from '../faces/predictions.ts';
import { eventually, metricValue, startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';

const found = await findRedis();
const program = found.kind === 'found' ? found.program : '';

const config = (redis: RunningRedis): string =>
  `state: ${redis.url}\nsecret: a secret of a test, long enough\n`;

async function unitsWithOutcome(gateway: RunningGateway): Promise<number> {
  const { epochs } = await tallies(gateway);
  const variants = epochs.flatMap((epoch) => Object.values(epoch.variants));
  return variants.reduce((sum, { metrics }) => sum + (metrics.correct?.units ?? 0), 0);
}

async function outcomeFilesIn(folder: string): Promise<readonly string[]> {
  return (await readdir(folder)).filter((file) => file.startsWith('outcomes'));
}

/** The text of its files. One may get another name in between: a second after the first outcome the gateway tries to deliver them, and sets them aside. */
async function outcomesIn(folder: string): Promise<string> {
  let texts: readonly string[] = [];
  await eventually(async () => {
    const files = await outcomeFilesIn(folder);
    texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8').catch(() => '')));
    return !texts.includes('');
  });
  return texts.join('');
}

const correct = (prediction_id: string) => ({ prediction_id, metric: 'correct', value: 1 });

describe.skipIf(found.kind === 'missing')('while Redis is away', () => {
  let redis: RunningRedis;
  beforeAll(async () => {
    redis = await startRedis(program);
  });
  afterAll(() => redis[Symbol.asyncDispose]());

  test('inference goes on, outcomes are kept on disk and delivered when it is back, each once', async () => {
    await using gateway = await startGateway({ files: MEASURED_FILES, config: config(redis) });
    const before = await predict(gateway, 'ada');
    expect((await sendOutcomes(gateway, correct(before.id))).body).toMatchObject({ accepted: 1 });
    await redis.kill();

    const users = Array.from({ length: 20 }, (_, user) => `user-${user}`);
    const answers = await Promise.all(users.map((user) => predict(gateway, user)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    const sent = await sendOutcomes(
      gateway,
      answers.map(({ id }) => correct(id)),
    );
    expect(sent).toEqual({ status: 202, body: { accepted: 20, rejected: [] } });
    // Sent twice: nobody can tell before Redis is back, and then it counts once.
    await sendOutcomes(gateway, correct(answers[0]?.id ?? ''));
    const folder = join(gateway.folder.path, 'signalbox-spool');
    expect((await outcomesIn(folder)).trim().split('\n')).toHaveLength(21);
    expect(metricValue(await gateway.metrics(), 'signalbox_outcomes_spooled')).toBe(21);

    await redis.start();
    await eventually(async () => metricValue(await gateway.metrics(), 'signalbox_outcomes_spooled') === 0);
    expect(await outcomeFilesIn(folder)).toEqual([]);
    expect(await unitsWithOutcome(gateway)).toBe(21);
    expect((await sendOutcomes(gateway, correct(answers[0]?.id ?? ''))).body).toMatchObject({
      accepted: 0,
      rejected: [{ code: 'duplicate' }],
    });
  });

  test('a gateway starts without it, and takes up what an earlier process left on disk, a torn line too', async () => {
    await using own = await startRedis(program);
    await own.kill();
    await using first = await startGateway({ files: MEASURED_FILES, config: config(own) });
    const { id } = await predict(first, 'ada');
    expect((await sendOutcomes(first, correct(id))).status).toBe(202);
    const left = await outcomesIn(join(first.folder.path, 'signalbox-spool'));

    await own.start();
    await using second = await startGateway({
      files: {
        ...MEASURED_FILES,
        'signalbox-spool/outcomes.jsonl': `${left}${left.slice(0, 40)}`,
      },
      config: config(own),
    });
    await eventually(async () => (await unitsWithOutcome(second)) === 1);
    await eventually(
      async () => (await outcomeFilesIn(join(second.folder.path, 'signalbox-spool'))).length === 0,
    );
  });

  test('with a disk that takes nothing either, outcomes are refused and can be sent again', async () => {
    await using own = await startRedis(program);
    await using gateway = await startGateway({
      files: MEASURED_FILES,
      config: `${config(own)}spool: ./blocked/spool\n`,
    });
    const blocked = join(gateway.folder.path, 'blocked');
    // The gateway keeps in there where its experiments stand, and may just be making the folder.
    await eventually(() =>
      rm(blocked, { recursive: true, force: true })
        .then(() => writeFile(blocked, 'a file where a folder should be'))
        .then(
          () => true,
          () => false,
        ),
    );
    const { id } = await predict(gateway, 'ada');
    await own.kill();
    const refused = await sendOutcomes(gateway, correct(id));
    expect(refused).toEqual({
      status: 503,
      body: { error: expect.stringContaining('send them again') as string },
    });
    await own.start();
    await eventually(async () => (await sendOutcomes(gateway, correct(id))).status === 202);
    expect(await unitsWithOutcome(gateway)).toBe(1);
  });

  test('a gateway whose secret is in the store does not start without the store, and says why', async () => {
    await using own = await startRedis(program);
    await own.kill();
    await expect(startGateway({ files: MEASURED_FILES, config: `state: ${own.url}\n` })).rejects.toThrow(
      'start the store, or set `secret`',
    );
  });
});

describe.skipIf(found.kind === 'missing')('where an experiment stands, at a start', () => {
  const winners = async (gateway: RunningGateway): Promise<ReadonlySet<string>> =>
    new Set(
      (await Promise.all(Array.from({ length: 20 }, (_, user) => predict(gateway, `user-${user}`)))).map(
        ({ variant }) => variant,
      ),
    );

  /** All get version 2 by hand; what a process of that is left with on its disk. */
  async function promoted(redis: RunningRedis): Promise<string> {
    await using gateway = await startGateway({ files: MEASURED_FILES, config: config(redis), admin: true });
    expect((await command(gateway, 'promote')).status).toBe(200);
    const read = (): Promise<string> =>
      readFile(join(gateway.folder.path, 'signalbox-spool/standings.json'), 'utf8').catch(() => '');
    await eventually(async () => (await read()).includes('"winner":"v2"'));
    return await read();
  }

  test('while Redis is away is what stood last on this machine; without that it is the file’s, and told loudly', async () => {
    await using redis = await startRedis(program);
    const kept = await promoted(redis);
    await redis.kill();
    const files = { ...MEASURED_FILES, 'signalbox-spool/standings.json': kept };
    await using knowing = await startGateway({ files, config: config(redis) });
    expect(await winners(knowing)).toEqual(new Set(['v2']));
    const version = async (gateway: RunningGateway): Promise<number> =>
      metricValue(await gateway.metrics(), 'signalbox_experiment_weights_version');
    expect(await version(knowing)).toBe(2);

    await using fresh = await startGateway({ files: MEASURED_FILES, config: config(redis) });
    expect(await winners(fresh)).toEqual(new Set(['v1', 'v2']));
    expect(await version(fresh)).toBe(0);
    expect(fresh.log.some((line) => line.includes('where the experiment stood is not known here'))).toBe(
      true,
    );

    await redis.start();
    await eventually(async () => (await version(fresh)) === 2);
    expect(await winners(fresh)).toEqual(new Set(['v2']));
  });

  test('where Redis has lost everything is brought back from this machine, and marked; a damaged file is left out', async () => {
    await using redis = await startRedis(program);
    const kept = await promoted(redis);
    await redis.lose();
    const files = { ...MEASURED_FILES, 'signalbox-spool/standings.json': kept };
    await using gateway = await startGateway({ files, config: config(redis) });
    expect(gateway.server.gateway.experiments.situation('digits-cnn')?.standing).toMatchObject({
      version: 2,
      isRecovered: true,
      split: { winner: 'v2' },
    });

    await redis.lose();
    const damaged = { ...MEASURED_FILES, 'signalbox-spool/standings.json': kept.slice(0, 40) };
    await using other = await startGateway({ files: damaged, config: config(redis) });
    expect(other.server.gateway.experiments.situation('digits-cnn')).toBeDefined();
    expect(other.log.some((line) => line.includes('can not be read, and is left out'))).toBe(true);
  });
});

describe.skipIf(found.kind === 'missing')('replicas that share a Redis', () => {
  test('take each other’s prediction ids, count together, and write exposures to one stream', async () => {
    await using redis = await startRedis(program);
    const shared = {
      files: MEASURED_FILES,
      config: `state: ${redis.url}\ntelemetry: { events: { sink: redis } }\n`,
    };
    await using a = await startGateway(shared);
    await using b = await startGateway(shared);
    const [ofA, ofB] = await Promise.all([predict(a, 'ada'), predict(b, 'ada')]);
    expect(ofA.variant).toBe(ofB.variant);
    await tallies(a);
    expect((await sendOutcomes(b, correct(ofA.id))).body).toEqual({ accepted: 1, rejected: [] });
    const { epochs } = await tallies(b);
    expect(epochs[0]?.variants[ofA.variant]).toMatchObject({ units: 1, requests: 2 });
    expect(await tallies(a)).toEqual(await tallies(b));
    const { Redis } = await import('ioredis');
    const client = new Redis(redis.url);
    const entries = await client.xrange('signalbox:exposures', '-', '+');
    client.disconnect();
    const ids = entries.map(
      ([, fields]) => (JSON.parse(fields[1] ?? '{}') as { prediction_id: string }).prediction_id,
    );
    expect(ids.sort()).toEqual([ofA.id, ofB.id].sort());
  });
});
