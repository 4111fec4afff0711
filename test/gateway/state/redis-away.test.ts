import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findRedis, startRedis } from '../../servers/redis-server.ts';
import type { RunningRedis } from '../../servers/redis-server.ts';
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
    const texts = await Promise.all(
      (await readdir(folder)).map((file) => readFile(join(folder, file), 'utf8')),
    );
    expect(texts.join('').trim().split('\n')).toHaveLength(21);
    expect(metricValue(await gateway.metrics(), 'signalbox_outcomes_spooled')).toBe(21);

    await redis.start();
    await eventually(async () => metricValue(await gateway.metrics(), 'signalbox_outcomes_spooled') === 0);
    expect(await readdir(folder)).toEqual([]);
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
    const left = await readFile(join(first.folder.path, 'signalbox-spool/outcomes.jsonl'), 'utf8');

    await own.start();
    await using second = await startGateway({
      files: {
        ...MEASURED_FILES,
        'signalbox-spool/outcomes.jsonl': `${left}${left.slice(0, 40)}`,
      },
      config: config(own),
    });
    await eventually(async () => (await unitsWithOutcome(second)) === 1);
    await eventually(async () => (await readdir(join(second.folder.path, 'signalbox-spool'))).length === 0);
  });

  test('with a disk that takes nothing either, outcomes are refused and can be sent again', async () => {
    await using own = await startRedis(program);
    await using gateway = await startGateway({
      files: MEASURED_FILES,
      config: `${config(own)}spool: ./blocked/spool\n`,
    });
    await writeFile(join(gateway.folder.path, 'blocked'), 'a file where a folder should be');
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
