import { expect, test } from 'vitest';
import { prove } from '../../bench/rolling/prove.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';
import { findServer } from '../servers/debian-server.ts';
import { findRedis, startRedis } from '../servers/redis-server.ts';

const [redisServer, nginx] = [await findRedis(), await findServer('nginx', 'nginx-light')];
const missing = [redisServer, nginx].flatMap((server) => (server.kind === 'missing' ? [server.reason] : []));

// The short form of `npm run prove:rolling`.
test.skipIf(missing.length > 0)(
  `behind nginx nobody notices a replica that is added, killed or drained ${missing.join('; ')}`,
  { timeout: 300_000 },
  async () => {
    if (redisServer.kind === 'missing' || nginx.kind === 'missing') return;
    await using folder = await temporaryFolder();
    await using redis = await startRedis(redisServer.program);
    const { steps, expected, found, errors } = await prove({
      folder: folder.path,
      nginx: nginx.program,
      redisUrl: redis.url,
      replicas: 2,
      plan: [
        { name: 'grow', act: (fleet) => fleet.grow(1) },
        { name: 'kill', act: (fleet) => fleet.killOne() },
        { name: 'drain', act: (fleet) => fleet.drain(1) },
      ],
      requestsPerStep: 300,
      users: 200,
      concurrency: 4,
    });
    expect(errors).toEqual([]);
    expect(steps.map(({ name, replicas, failed, moved }) => ({ name, replicas, failed, moved }))).toEqual([
      { name: 'grow', replicas: 3, failed: 0, moved: 0 },
      { name: 'kill', replicas: 2, failed: 0, moved: 0 },
      { name: 'drain', replicas: 1, failed: 0, moved: 0 },
    ]);
    expect(found).toEqual(expected);
  },
);
