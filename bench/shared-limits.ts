/** What limits cost that replicas share in Redis: what a request waits for them, and the processor time on both sides. Part of `npm run bench:parts`. */
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { connectRedis } from '../experiments/stores/redis-connection.ts';
import { UNLIMITED } from '../gateway/limits/caller-limits.ts';
import { Limits } from '../gateway/limits/limits.ts';
import type { LimitedCaller } from '../gateway/limits/limits.ts';
import { parseRate } from '../gateway/limits/rate.ts';
import { SharedBuckets } from '../gateway/limits/shared-buckets.ts';
import { findRedis, startRedis } from '../test/servers/redis-server.ts';
import { median, print, printFigure, spread } from './report.ts';

const ALONE = 2000;
const TOGETHER = 20_000;
const UNDER_WAY = 64;

const RATE = parseRate('10000000/s');

/** Prints nothing but the reason where there is no Redis. */
export async function printSharedLimits(rounds: number): Promise<void> {
  const found = await findRedis();
  if (found.kind === 'missing') {
    print(`no limits in Redis: ${found.reason}`);
    return;
  }
  if (RATE === undefined) throw new Error('the bench has no rate');
  await using redis = await startRedis(found.program);
  let fallbacks = 0;
  const limits = new Limits(
    {
      cost: 'rows',
      address: UNLIMITED,
      key: UNLIMITED,
      models: new Map([['digits', RATE]]),
      experiments: new Map([['digits-cnn', RATE]]),
    },
    { shared: new SharedBuckets(redis.url, 10_000), onFallback: () => (fallbacks += 1) },
  );
  const caller: LimitedCaller = {
    id: 'bench',
    limits: { rate: RATE, concurrency: undefined, daily: undefined },
  };
  const take = (): unknown => limits.take(caller, 'digits', 'digits-cnn', 1);
  const server = connectRedis(redis.url);
  if (server.status !== 'ready') await once(server, 'ready');
  // Until its connection is there, a request goes by limits of the process.
  do {
    fallbacks = 0;
    await setTimeout(10);
    await take();
  } while (fallbacks > 0);
  const serverUs = async (): Promise<number> => {
    const info = await server.info('cpu');
    const of = (name: string): number => Number(new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1]);
    return 1e6 * (of('used_cpu_user') + of('used_cpu_sys'));
  };
  const [waitedUs, ownUs, redisUs]: [number[], number[], number[]] = [[], [], []];
  // The first round warms up, and is not counted.
  for (let round = 0; round <= rounds; round++) {
    const alone: number[] = [];
    for (let count = 0; count < ALONE; count++) {
      const startMs = performance.now();
      await take();
      alone.push(1000 * (performance.now() - startMs));
    }
    const [before, beforeServer] = [process.threadCpuUsage(), await serverUs()];
    for (let count = 0; count < TOGETHER; count += UNDER_WAY)
      await Promise.all(Array.from({ length: UNDER_WAY }, take));
    const { user, system } = process.threadCpuUsage(before);
    const ofServer = (await serverUs()) - beforeServer;
    if (round === 0) fallbacks = 0;
    else {
      waitedUs.push(median(alone));
      ownUs.push((user + system) / TOGETHER);
      redisUs.push(ofServer / TOGETHER);
    }
  }
  limits.close();
  server.disconnect();
  printFigure('three limits in Redis', `a request alone waits ${spread(waitedUs, 0)} us`);
  printFigure(
    `  ${UNDER_WAY} at once`,
    `processor time ${spread(ownUs)} us, of Redis ${spread(redisUs)} us${fallbacks > 0 ? `; ${fallbacks} went by local ones` : ''}`,
  );
}
