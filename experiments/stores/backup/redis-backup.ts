import { once } from 'node:events';
import { access, rename, rm } from 'node:fs/promises';
import { connectRedis } from '../redis-connection.ts';
import type { RedisConnection } from '../redis-scripts.ts';
import { FORMAT_KEY, newerFormat } from '../redis-format.ts';
import { checkBackup, readBackup, writeBackup } from './backup-file.ts';
import type { BackupPart } from './backup-file.ts';
import { snapshot, stateKeys } from './redis-snapshot.ts';

/** Of one call; a server that is busy or far away is waited for. */
const TIMEOUT_MS = 60_000;
const CONNECT_MS = 5000;

/** Parts that are written in one round trip. */
const PARTS_AT_ONCE = 500;

/**
 * Writes the state in Redis to a file while gateways go on: each phase of an experiment as it was at one moment (see {@link snapshot}). The file is
 * read again before it gets its name.
 *
 * @returns how many keys there were
 * @throws Error where Redis is away, another backup is under way, or the file is there already
 */
export async function backupRedis(url: string, target: string): Promise<number> {
  const isThere = await access(target).then(
    () => true,
    () => false,
  );
  if (isThere) throw new Error(`${target} is there already; name another file`);
  return withRedis(url, async (redis) => {
    const temporary = `${target}.${process.pid}.tmp`;
    const counter = new KeyCounter();
    try {
      await writeBackup(temporary, counter.count(snapshot(redis)));
      await checkBackup(temporary);
      await rename(temporary, target);
    } finally {
      await rm(temporary, { force: true });
    }
    return counter.keys;
  });
}

/**
 * Puts a backup into Redis; gateways over it have to be stopped.
 *
 * @param isForced whether a state that is there may be replaced
 * @returns how many keys there were
 * @throws Error where the file is no whole backup or has a newer release's state, a state is there, or Redis is away
 */
export async function restoreRedis(source: string, url: string, isForced: boolean): Promise<number> {
  await checkReadable(source);
  return withRedis(url, async (redis) => {
    if (!isForced) await requireEmpty(redis);
    for await (const keys of stateKeys(redis)) await Promise.all(keys.map((key) => redis.unlink(key)));
    const counter = new KeyCounter();
    const waiting: BackupPart[] = [];
    const putAll = (): Promise<unknown> => Promise.all(waiting.splice(0).map((part) => put(redis, part)));
    for await (const part of counter.count(readBackup(source))) {
      waiting.push(part);
      if (waiting.length < PARTS_AT_ONCE) continue;
      await putAll();
    }
    await putAll();
    return counter.keys;
  });
}

/** Before anything is taken away: what is put in its place has to be a state that this release can open. */
async function checkReadable(source: string): Promise<void> {
  let format = 1;
  for await (const part of readBackup(source))
    if (part.key === FORMAT_KEY && 'string' in part) format = Number(part.string);
  const fault = newerFormat(format);
  if (fault !== undefined) throw new Error(`the state in ${source} ${fault}`);
}

async function requireEmpty(redis: RedisConnection): Promise<void> {
  let present = 0;
  for await (const keys of stateKeys(redis)) present += keys.length;
  if (present > 0)
    throw new Error(`there is a state already, of ${present} keys; with --force it is replaced`);
}

function put(redis: RedisConnection, part: BackupPart): Promise<unknown> {
  const { key } = part;
  if ('string' in part)
    return part.ttlMs < 0
      ? redis.set(key, part.string)
      : redis.set(key, part.string, 'PX', Math.max(1, part.ttlMs));
  if ('hash' in part) return redis.hset(key, ...part.hash);
  if ('list' in part) return redis.rpush(key, ...part.list);
  const scored: string[] = [];
  for (let at = 0; at + 1 < part.zset.length; at += 2)
    scored.push(part.zset[at + 1] ?? '', part.zset[at] ?? '');
  return redis.zadd(key, ...scored);
}

/** Counts the keys of parts; the parts of a large key come one after the other. */
class KeyCounter {
  keys = 0;

  async *count(parts: AsyncIterable<BackupPart>): AsyncGenerator<BackupPart> {
    let last = '';
    for await (const part of parts) {
      if (part.key !== last) this.keys += 1;
      last = part.key;
      yield part;
    }
  }
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
