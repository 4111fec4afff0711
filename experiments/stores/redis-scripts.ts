import type { Result } from 'ioredis';
import type { Cluster, Redis } from 'ioredis';

/** One server, a group with Sentinels, or a cluster. */
export type RedisConnection = Redis | Cluster;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    signalboxWriteDocument(
      key: string,
      leaseKey: string,
      auditKey: string,
      expectedVersion: number,
      json: string,
      channel: string,
      name: string,
      holder: string,
      token: number,
      ...auditJson: string[]
    ): Result<number, Context>;
    signalboxAcquireLease(key: string, holder: string, ttlMs: number): Result<number, Context>;
    signalboxLeaseHolder(key: string): Result<string | null, Context>;
    signalboxReleaseLease(key: string, holder: string): Result<number, Context>;
    signalboxApplyStep(keys: number, ...keysAndArguments: (string | number)[]): Result<number, Context>;
    signalboxRecordMirrors(
      key: string,
      sums: number,
      ...fieldsAndValues: (string | number)[]
    ): Result<number, Context>;
    signalboxLand(
      key: string,
      unit: number,
      variant: string,
      ...keepers: string[]
    ): Result<[variant: string, isNew: number], Context>;
    signalboxAddUp(key: string, ...fieldsAndAmounts: (string | number)[]): Result<number, Context>;
  }
}

/** The server's clock decides, as replicas' clocks differ. */
const NOW = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
`;

/**
 * Returns the new version; 0 where the document's version is not the expected one, -1 where the lease that the write stands
 * under (an empty holder: none) doesn't hold.
 */
const WRITE_DOCUMENT = `
if ARGV[5] ~= '' then
${NOW}
  local held = redis.call('HMGET', KEYS[2], 'holder', 'token', 'expires')
  if held[1] ~= ARGV[5] or held[2] ~= ARGV[6] or tonumber(held[3]) <= now then return -1 end
end
local version = tonumber(redis.call('HGET', KEYS[1], 'version') or '0')
if version ~= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'version', version + 1, 'json', ARGV[2])
for at = 7, #ARGV do redis.call('RPUSH', KEYS[3], ARGV[at]) end
redis.call('PUBLISH', ARGV[3], ARGV[4])
return version + 1
`;

/** Returns the token; 0 where another one holds the lease. The token outlives the lease, so that it never goes back. */
const ACQUIRE_LEASE = `
${NOW}
local held = redis.call('HMGET', KEYS[1], 'holder', 'token', 'expires')
local live = held[1] and tonumber(held[3]) > now
if live and held[1] ~= ARGV[1] then return 0 end
local token = tonumber(held[2] or '0')
if not live then token = token + 1 end
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'token', token, 'expires', now + tonumber(ARGV[2]))
return token
`;

const LEASE_HOLDER = `
${NOW}
local held = redis.call('HMGET', KEYS[1], 'holder', 'expires')
return held[1] and tonumber(held[2]) > now and held[1]
`;

const RELEASE_LEASE = `
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'expires', 0)
return 1
`;

/**
 * Writes a step of a unit, if the unit is still as it was read and nobody has its claims: all of it, or nothing (0).
 *
 * Keys: the sums, the open windows, the unit, the claims. Arguments: how the unit was found ("any": it isn't looked at, "none",
 * "is"), its state then, its new state (empty: as it is); each claim's lifetime; the number of windows that open and each
 * one's time and name; the number of windows that close and each one's name; then fields and amounts.
 */
const APPLY_STEP = `
if ARGV[1] ~= 'any' then
  local unit = redis.call('GET', KEYS[3])
  if ARGV[1] == 'none' and unit then return 0 end
  if ARGV[1] == 'is' and unit ~= ARGV[2] then return 0 end
end
for i = 4, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 1 then return 0 end
end
local at = 4
for i = 4, #KEYS do
  redis.call('SET', KEYS[i], '1', 'PX', ARGV[at])
  at = at + 1
end
if ARGV[3] ~= '' then redis.call('SET', KEYS[3], ARGV[3]) end
local opens = tonumber(ARGV[at])
at = at + 1
for _ = 1, opens do
  redis.call('ZADD', KEYS[2], ARGV[at], ARGV[at + 1])
  at = at + 2
end
local closes = tonumber(ARGV[at])
at = at + 1
for _ = 1, closes do
  redis.call('ZREM', KEYS[2], ARGV[at])
  at = at + 1
end
while at < #ARGV do
  redis.call('HINCRBYFLOAT', KEYS[1], ARGV[at], ARGV[at + 1])
  at = at + 2
end
return 1
`;

const ADD_UP = `
for at = 1, #ARGV, 2 do
  redis.call('HINCRBYFLOAT', KEYS[1], ARGV[at], ARGV[at + 1])
end
return 1
`;

/** Arguments: the number of sums; fields and amounts of these; fields and values of maxima. */
const RECORD_MIRRORS = `
local sums = tonumber(ARGV[1])
for at = 2, 2 * sums, 2 do
  redis.call('HINCRBYFLOAT', KEYS[1], ARGV[at], ARGV[at + 1])
end
for at = 2 + 2 * sums, #ARGV, 2 do
  local known = redis.call('HGET', KEYS[1], ARGV[at])
  if not known or tonumber(known) < tonumber(ARGV[at + 1]) then
    redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
  end
end
return 1
`;

/** Arguments: the unit, where it lands if it has not, and the variants that keep those who landed there. */
const LAND = `
local landed = redis.call('HGET', KEYS[1], ARGV[1])
if landed then
  for at = 3, #ARGV do
    if ARGV[at] == landed then return {landed, 0} end
  end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return {ARGV[2], 1}
`;

/** Teaches a connection the store's operations; each is atomic, and touches keys of one slot only. */
export function defineScripts(redis: RedisConnection): void {
  redis.defineCommand('signalboxWriteDocument', { numberOfKeys: 3, lua: WRITE_DOCUMENT });
  redis.defineCommand('signalboxAcquireLease', { numberOfKeys: 1, lua: ACQUIRE_LEASE });
  redis.defineCommand('signalboxLeaseHolder', { numberOfKeys: 1, lua: LEASE_HOLDER });
  redis.defineCommand('signalboxReleaseLease', { numberOfKeys: 1, lua: RELEASE_LEASE });
  redis.defineCommand('signalboxApplyStep', { lua: APPLY_STEP });
  redis.defineCommand('signalboxRecordMirrors', { numberOfKeys: 1, lua: RECORD_MIRRORS });
  redis.defineCommand('signalboxLand', { numberOfKeys: 1, lua: LAND });
  redis.defineCommand('signalboxAddUp', { numberOfKeys: 1, lua: ADD_UP });
}
