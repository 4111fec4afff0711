import { randomUUID } from 'node:crypto';
import { Cluster } from 'ioredis';
import type { Redis } from 'ioredis';
import { FORMAT_KEY, newerFormat } from '../redis-format.ts';
import { ScopeKeys } from '../redis-scope-keys.ts';
import type { RedisConnection } from '../redis-scripts.ts';
import type { BackupPart } from './backup-file.ts';

/** Keys that are read by one call, so that it takes about a millisecond of the server's time. */
const CHUNK = 200;

/** How long a copy may be held up between two calls. */
const TTL_MS = 120_000;

const STATE = 'signalbox:{state}:';
const AUDIT_KEY = `${STATE}audit`;
const CLAIM = 'signalbox:claim:';

/** Keys that are no state: a log, and what is over in a moment. */
const NOT_STATE = ['signalbox:exposures', 'signalbox:{limits}:', 'signalbox:cache:'];

/**
 * Reads the state in small pieces, between which the server answers others, and gives each phase of an experiment as it was at one moment.
 *
 * The moment of a phase is a short script, which takes its sums and starts to keep what is changed: whoever writes a unit's step keeps
 * first how the unit, its claims and its windows were (see `APPLY_STEP`), and a piece that is read later has that in their place. So sums
 * and units fit each other, however long the rest takes. Documents, leases and the length of the audit log are read in one transaction
 * right after these moments. Where units of sticky experiments landed, and claims of requests and webhooks, are as they are when they are read.
 *
 * @throws Error where Redis is away, another backup is under way, or a newer release wrote the state
 */
export async function* snapshot(redis: RedisConnection): AsyncGenerator<BackupPart> {
  // It may keep what this release doesn't know of, which would be left out.
  const fault = newerFormat(Number(await redis.get(FORMAT_KEY)));
  if (fault !== undefined) throw new Error(`the state in Redis ${fault}`);
  const id = randomUUID();
  const scopes = new Map<string, ScopeKeys>();
  const state = new Set<string>();
  for await (const keys of stateKeys(redis)) {
    for (const key of keys) {
      const scope = ScopeKeys.of(key);
      if (scope !== undefined) scopes.set(scope.before, scope);
      else if (key.startsWith(STATE)) state.add(key);
    }
  }
  const begun: string[] = [];
  try {
    const parts: BackupPart[] = [];
    for (const scope of scopes.values()) {
      const { before, sums, epochs, mirrored } = scope;
      const hashes = await redis.signalboxBeginCopy(before, sums, epochs, mirrored, id, TTL_MS);
      if (hashes.length === 0)
        throw new Error('another backup is under way, or was killed within two minutes');
      begun.push(before);
      [sums, epochs, mirrored].forEach((key, index) => {
        parts.push(...hashParts(key, hashes[index] ?? []));
      });
    }
    const { documents, auditLength } = await readState(redis, [...state]);
    yield* parts;
    yield* documents;
    for (let at = 0; at < auditLength; at += CHUNK) {
      const list = await redis.lrange(AUDIT_KEY, at, Math.min(at + CHUNK, auditLength) - 1);
      yield { key: AUDIT_KEY, list };
    }
    yield* unitsAndClaims(redis, scopes, id);
    for (const scope of scopes.values()) {
      yield* windows(redis, scope, id);
      yield* hash(redis, scope.landed);
    }
  } finally {
    for (const before of begun) await redis.unlink(before).catch(() => undefined);
  }
}

/** Keys of the state, some at a time; one may come twice. */
export async function* stateKeys(redis: RedisConnection): AsyncGenerator<readonly string[]> {
  for (const server of serversOf(redis)) {
    let cursor = '0';
    do {
      const [next, keys] = await server.scan(cursor, 'MATCH', 'signalbox:*', 'COUNT', CHUNK);
      yield keys.filter((key) => !NOT_STATE.some((prefix) => key.startsWith(prefix)));
      cursor = next;
    } while (cursor !== '0');
  }
}

function serversOf(redis: RedisConnection): readonly Redis[] {
  return redis instanceof Cluster ? redis.nodes('master') : [redis];
}

async function readState(
  redis: RedisConnection,
  keys: readonly string[],
): Promise<{ readonly documents: readonly BackupPart[]; readonly auditLength: number }> {
  const hashes = keys.filter((key) => key !== AUDIT_KEY && key !== FORMAT_KEY);
  const transaction = redis.multi().llen(AUDIT_KEY).get(FORMAT_KEY);
  for (const key of hashes) transaction.hgetall(key);
  const [length, format, ...found] = (await transaction.exec()) ?? [];
  for (const reply of [length, format, ...found]) if (reply?.[0]) throw reply[0];
  const documents = hashes.flatMap((key, index): BackupPart[] => {
    const fields = found[index]?.[1];
    return typeof fields === 'object' && fields !== null
      ? hashParts(
          key,
          Object.entries(fields).flatMap(([field, value]) => [field, String(value)]),
        )
      : [];
  });
  const formatText = format?.[1];
  const formatPart = {
    key: FORMAT_KEY,
    string: typeof formatText === 'string' ? formatText : '1',
    ttlMs: -1,
  };
  return { documents: [formatPart, ...documents], auditLength: Number(length?.[1]) };
}

async function* unitsAndClaims(
  redis: RedisConnection,
  scopes: ReadonlyMap<string, ScopeKeys>,
  id: string,
): AsyncGenerator<BackupPart> {
  const waiting = new Map<string, string[]>([
    ['', []],
    ...[...scopes.keys()].map((before) => [before, []] as [string, string[]]),
  ]);
  for await (const keys of stateKeys(redis)) {
    for (const key of keys) {
      const scope = ScopeKeys.of(key);
      if (scope?.isOfUnits(key) === true) waiting.get(scope.before)?.push(key);
      else if (key.startsWith(CLAIM)) waiting.get('')?.push(key);
    }
    for (const [before, some] of waiting)
      if (some.length >= CHUNK) yield* strings(redis, before, some.splice(0), id);
  }
  for (const [before, some] of waiting) if (some.length > 0) yield* strings(redis, before, some, id);
}

/** @param before of the phase; empty: what is of no phase, as it is now */
async function* strings(
  redis: RedisConnection,
  before: string,
  keys: readonly string[],
  id: string,
): AsyncGenerator<BackupPart> {
  const found =
    before === ''
      ? await stringsNow(redis, keys)
      : await redis.signalboxCopyKeys(1 + keys.length, before, ...keys, id, TTL_MS);
  for (const [index, key] of keys.entries()) {
    const value = found[2 * index];
    if (typeof value === 'string' && value !== '')
      yield { key, string: value, ttlMs: Number(found[2 * index + 1]) };
  }
}

async function stringsNow(
  redis: RedisConnection,
  keys: readonly string[],
): Promise<readonly (string | number)[]> {
  const found = await Promise.all(
    keys.map(async (key) => [(await redis.get(key)) ?? '', await redis.pttl(key)]),
  );
  return found.flat();
}

async function* windows(
  redis: RedisConnection,
  { before, open }: ScopeKeys,
  id: string,
): AsyncGenerator<BackupPart> {
  let cursor = '0';
  do {
    const [next, zset] = await redis.signalboxCopyWindows(before, open, id, TTL_MS, cursor);
    if (zset.length > 0) yield { key: open, zset };
    cursor = next;
  } while (cursor !== '0');
  // Those that were touched since, as they were.
  do {
    const [next, fields] = await redis.hscan(before, cursor, 'MATCH', 'open *', 'COUNT', CHUNK);
    const zset: string[] = [];
    for (let at = 0; at + 1 < fields.length; at += 2) {
      const [field = '', score = ''] = fields.slice(at, at + 2);
      if (score !== '') zset.push(field.slice('open '.length), score);
    }
    if (zset.length > 0) yield { key: open, zset };
    cursor = next;
  } while (cursor !== '0');
  // It tells whether what was kept is still there.
  await redis.signalboxCopyKeys(1, before, id, TTL_MS);
}

async function* hash(redis: RedisConnection, key: string): AsyncGenerator<BackupPart> {
  let cursor = '0';
  do {
    const [next, fields] = await redis.hscan(key, cursor, 'COUNT', CHUNK);
    yield* hashParts(key, fields);
    cursor = next;
  } while (cursor !== '0');
}

/** @param fields names and values, one after the other */
function hashParts(key: string, fields: readonly string[]): BackupPart[] {
  const parts: BackupPart[] = [];
  for (let at = 0; at < fields.length; at += 2 * CHUNK)
    parts.push({ key, hash: fields.slice(at, at + 2 * CHUNK) });
  return parts;
}
