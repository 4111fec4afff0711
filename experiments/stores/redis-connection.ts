import { Cluster, Redis } from 'ioredis';
import type { RedisOptions } from 'ioredis';
import { parseRedisUrl } from './redis-address.ts';
import type { RedisAddress } from './redis-address.ts';
import { defineScripts } from './redis-scripts.ts';
import type { RedisConnection } from './redis-scripts.ts';

/** The longest that a caller waits for Redis, where it doesn't say how long. */
const COMMAND_TIMEOUT_MS = 2000;
const CONNECT_TIMEOUT_MS = 2000;
/** Between two tries to connect: soon at first, for a server that restarts. */
const RETRY_FIRST_MS = 50;
const RETRY_MOST_MS = 1000;

/**
 * Prepares a connection; it connects in the background, and connects again whenever it is lost. While it is away, calls fail
 * at once rather than queue up.
 *
 * @param url `redis://[user:password@]host:6379/0`, `rediss://…` for TLS, `redis+cluster://host:6379,host:6380` or
 * `redis+sentinel://host:26379,host:26379/NAME/0`; the last two with `rediss+` too
 * @throws TypeError, RangeError where the address is none of these
 */
export function connectRedis(
  url: string,
  { commandTimeoutMs = COMMAND_TIMEOUT_MS }: { readonly commandTimeoutMs?: number } = {},
): RedisConnection {
  const redis = connectionOf(parseRedisUrl(url), commandTimeoutMs);
  defineScripts(redis);
  // Each lost connection is told here too; those who ask are told by their own calls.
  redis.on('error', () => undefined);
  return redis;
}

function connectionOf(address: RedisAddress, commandTimeoutMs: number): RedisConnection {
  const { username, password, tls } = address;
  const retry = (times: number): number => Math.min(RETRY_FIRST_MS * 2 ** (times - 1), RETRY_MOST_MS);
  const options = {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls: {} }),
    commandTimeout: commandTimeoutMs,
    connectTimeout: CONNECT_TIMEOUT_MS,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    retryStrategy: retry,
  } satisfies RedisOptions;
  switch (address.kind) {
    case 'server':
      return new Redis({ ...options, ...address.host, db: address.database });
    case 'sentinel':
      return new Redis({
        ...options,
        sentinels: address.hosts.map((host) => ({ ...host })),
        name: address.name,
        db: address.database,
        sentinelRetryStrategy: retry,
        ...(tls && { enableTLSForSentinelMode: true, sentinelTLS: {} }),
      });
    case 'cluster':
      return new Cluster(
        address.hosts.map((host) => ({ ...host })),
        {
          redisOptions: options,
          enableOfflineQueue: false,
          clusterRetryStrategy: retry,
          slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
        },
      );
  }
}
