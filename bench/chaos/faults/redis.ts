import { findRedis, startRedis } from '../../../test/servers/redis-server.ts';
import type { RunningRedis } from '../../../test/servers/redis-server.ts';
import { pause } from '../finding.ts';
import type { Fault, Finding, Scale } from '../finding.ts';
import { countedIn } from '../lost-outcomes.ts';
import { startGatewayProcess } from '../gateway-process.ts';
import { underFault } from '../under-fault.ts';

async function withRedis(
  name: string,
  scale: Scale,
  strike: (redis: RunningRedis, scale: Scale) => Promise<void>,
): Promise<Finding | string> {
  const found = await findRedis();
  if (found.kind === 'missing') return found.reason;
  // Acknowledged means kept: a Redis that forgets at a kill would be what lost it.
  await using redis = await startRedis(found.program, ['--appendfsync', 'always']);
  await using gateway = await startGatewayProcess({
    config: `state: ${redis.url}\nsecret: a secret of the chaos run\n`,
  });
  const spooled = () => gateway.metric('signalbox_outcomes_spooled');
  return await underFault(name, gateway, {
    strike: () => strike(redis, scale),
    countOutcomes: countedIn({ redis: redis.url, experiment: 'adder-test', spooled }),
    whole: {
      what: 'what waited on the disk is delivered',
      holds: async () => (await spooled()) === 0,
    },
    mayEnd: [],
  });
}

export const redisKilled: Fault = {
  name: 'Redis is killed, and started again',
  run: (scale) =>
    withRedis(redisKilled.name, scale, async (redis, { faultMs }) => {
      await redis.kill();
      await pause(faultMs);
      await redis.start();
    }),
};

export const redisPaused: Fault = {
  name: 'Redis is stopped (SIGSTOP), and goes on',
  run: (scale) =>
    withRedis(redisPaused.name, scale, async (redis, { faultMs }) => {
      redis.freeze();
      await pause(faultMs);
      redis.thaw();
    }),
};

export const redisRestarted: Fault = {
  name: 'Redis is restarted three times in a row',
  run: (scale) =>
    withRedis(redisRestarted.name, scale, async (redis) => {
      for (let restart = 0; restart < 3; restart++) {
        await redis.kill();
        await redis.start();
        await pause(200);
      }
    }),
};
