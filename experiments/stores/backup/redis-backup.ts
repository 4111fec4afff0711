import { once } from 'node:events';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { Cluster } from 'ioredis';
import type { Redis } from 'ioredis';
import { connectRedis } from '../redis-connection.ts';
import type { RedisConnection } from '../redis-scripts.ts';

/** A large state takes the server some seconds. */
const TIMEOUT_MS = 600_000;
const CONNECT_MS = 5000;

/** Keys that are written by one call. */
const CHUNK = 500;

const FORMAT = 1;

/** All of the gateway's keys. */
const KEYS = 'signalbox:*';

/** The stream of events, which is a log and no state, and limits, which are over in a moment. */
const NOT_STATE = ['signalbox:exposures', 'signalbox:{limits}:'];

/**
 * Dumps a server's keys at one moment: a script runs alone, so that sums, units and claims fit each other. The server answers
 * nobody else meanwhile.
 */
const DUMP = `
local cursor = '0'
local dumped = {}
repeat
  local step = redis.call('SCAN', cursor, 'MATCH', ARGV[1], 'COUNT', 1000)
  cursor = step[1]
  for _, key in ipairs(step[2]) do
    local skip = false
    for i = 2, #ARGV do
      if string.sub(key, 1, #ARGV[i]) == ARGV[i] then skip = true end
    end
    if not skip then
      dumped[#dumped + 1] = key
      dumped[#dumped + 1] = tostring(redis.call('PTTL', key))
      dumped[#dumped + 1] = redis.call('DUMP', key)
    end
  end
until cursor == '0'
return dumped
`;

interface DumpedKey {
  /** Base64. */
  readonly key: string;
  /** Milliseconds; below 0: it doesn't end. */
  readonly ttlMs: number;
  /** Base64 of what DUMP gives. */
  readonly value: string;
}

/**
 * Writes the state in Redis to a file: a line of JSON for each key. With a cluster, each server's keys are those of one moment; an
 * experiment's are all on one server.
 *
 * @returns how many keys there were
 * @throws Error where Redis is away, or the file is there already
 */
export async function backupRedis(url: string, target: string): Promise<number> {
  return withRedis(url, async (redis) => {
    const temporary = `${target}.${process.pid}.tmp`;
    const handle = await open(temporary, 'wx', 0o600);
    let count = 0;
    try {
      await handle.write(
        `${JSON.stringify({ signalbox: 'state', format: FORMAT, at: new Date().toISOString() })}\n`,
      );
      for (const server of serversOf(redis)) {
        const dumped = await server.callBuffer('EVAL', DUMP, '0', KEYS, ...NOT_STATE);
        for (const line of linesOf(dumped)) {
          await handle.write(`${JSON.stringify(line)}\n`);
          count += 1;
        }
      }
      await handle.write(`${JSON.stringify({ end: count })}\n`);
      await handle.sync();
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
    return count;
  });
}

/**
 * Puts a backup into Redis; gateways over it have to be stopped.
 *
 * @param isForced whether a state that is there may be replaced
 * @returns how many keys there were
 * @throws Error where the file is no whole backup, a state is there, or Redis is away
 */
export async function restoreRedis(source: string, url: string, isForced: boolean): Promise<number> {
  const keys = readBackup(await readFile(source, 'utf8'), source);
  return withRedis(url, async (redis) => {
    const present = await keysIn(redis);
    if (present.length > 0 && !isForced) {
      throw new Error(`there is a state already, of ${present.length} keys; with --force it is replaced`);
    }
    for (const key of present) await redis.unlink(key);
    for (let at = 0; at < keys.length; at += CHUNK) {
      await Promise.all(
        keys
          .slice(at, at + CHUNK)
          .map(({ key, ttlMs, value }) =>
            redis.restore(
              Buffer.from(key, 'base64'),
              Math.max(0, ttlMs),
              Buffer.from(value, 'base64'),
              'REPLACE',
            ),
          ),
      );
    }
    return keys.length;
  });
}

function readBackup(text: string, source: string): readonly DumpedKey[] {
  const lines = text.trimEnd().split('\n');
  const parsed = lines.map((line, index): Readonly<Record<string, unknown>> => {
    try {
      return JSON.parse(line) as Readonly<Record<string, unknown>>;
    } catch (cause) {
      throw new Error(`${source}:${index + 1}: is no line of a backup`, { cause });
    }
  });
  const [head] = parsed;
  const last = parsed.at(-1);
  if (head?.signalbox !== 'state') throw new Error(`${source} is no backup of a state in Redis`);
  if (head.format !== FORMAT) {
    throw new Error(
      `${source} has format ${String(head.format)}, and this release knows ${FORMAT}; run the release that made it`,
    );
  }
  const keys = parsed
    .slice(1, -1)
    .flatMap(({ key, ttlMs, value }) =>
      typeof key === 'string' && typeof ttlMs === 'number' && typeof value === 'string'
        ? [{ key, ttlMs, value }]
        : [],
    );
  if (last?.end !== keys.length || keys.length !== lines.length - 2) {
    throw new Error(`${source} breaks off: it is not the whole backup`);
  }
  return keys;
}

async function withRedis<Result>(
  url: string,
  work: (redis: RedisConnection) => Promise<Result>,
): Promise<Result> {
  const redis = connectRedis(url, { commandTimeoutMs: TIMEOUT_MS });
  try {
    if (redis.status !== 'ready') {
      await once(redis, 'ready', { signal: AbortSignal.timeout(CONNECT_MS) }).catch((cause: unknown) => {
        throw new Error('Redis does not answer', { cause });
      });
    }
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}

function serversOf(redis: RedisConnection): readonly Redis[] {
  return redis instanceof Cluster ? redis.nodes('master') : [redis];
}

async function keysIn(redis: RedisConnection): Promise<readonly Buffer[]> {
  const found = await Promise.all(
    serversOf(redis).map((server) => server.callBuffer('EVAL', DUMP, '0', KEYS, ...NOT_STATE)),
  );
  return found.flatMap(linesOf).map(({ key }) => Buffer.from(key, 'base64'));
}

/** Key, time to live and value, one after the other. */
function linesOf(dumped: unknown): readonly DumpedKey[] {
  const parts = Array.isArray(dumped) ? dumped.filter((part) => Buffer.isBuffer(part)) : [];
  const lines: DumpedKey[] = [];
  for (let at = 0; at + 2 < parts.length; at += 3) {
    const [key, ttl, value] = parts.slice(at, at + 3);
    if (key === undefined || ttl === undefined || value === undefined) break;
    lines.push({
      key: key.toString('base64'),
      ttlMs: Number(ttl.toString()),
      value: value.toString('base64'),
    });
  }
  return lines;
}
