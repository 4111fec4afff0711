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
    signalboxBeginCopy(
      before: string,
      sums: string,
      epochs: string,
      mirrored: string,
      id: string,
      ttlMs: number,
    ): Result<string[][], Context>;
    signalboxCopyKeys(
      keys: number,
      ...keysIdAndTtlMs: (string | number)[]
    ): Result<(string | number)[], Context>;
    signalboxCopyWindows(
      before: string,
      open: string,
      id: string,
      ttlMs: number,
      cursor: string,
    ): Result<[cursor: string, membersAndScores: string[]], Context>;
    signalboxAddUp(key: string, ...fieldsAndAmounts: (string | number)[]): Result<number, Context>;
  }
}

/** The server's clock decides, as replicas' clocks differ. */
const NOW = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
`;

/**
 * Adds amounts to a hash's sums as doubles, as the other stores do. HINCRBYFLOAT would cut each sum to 17 places after the point, which
 * takes the cubes of values near 1e-6 for 0. An infinity is written as JavaScript reads it.
 */
const ADD = `
local function add(key, first, last)
  local sums = {}
  for at = first, last, 2 do
    local field = ARGV[at]
    local sum = sums[field] or tonumber(redis.call('HGET', key, field) or '0')
    sums[field] = sum + tonumber(ARGV[at + 1])
  end
  for field, sum in pairs(sums) do
    local text = string.format('%.17g', sum)
    if sum == math.huge then text = 'Infinity' elseif sum == -math.huge then text = '-Infinity' end
    redis.call('HSET', key, field, text)
  end
end
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
 * Writes a step of a unit, if the unit is still as it was read and nobody has its claims: all of it, or nothing (0). While a backup
 * copies the phase it keeps first what the step changes.
 *
 * Keys: the sums, the open windows, what was before, the unit, the claims. Arguments: how the unit was found ("any": it isn't looked at,
 * "none", "is"), its state then, its new state (empty: as it is); each claim's lifetime; the number of windows that open and each
 * one's time and name; the number of windows that close and each one's name; then fields and amounts.
 */
const APPLY_STEP = `
${ADD}
if ARGV[1] ~= 'any' then
  local unit = redis.call('GET', KEYS[4])
  if ARGV[1] == 'none' and unit then return 0 end
  if ARGV[1] == 'is' and unit ~= ARGV[2] then return 0 end
end
for i = 5, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 1 then return 0 end
end
local copied = redis.call('EXISTS', KEYS[3]) == 1
local function keep(field, value)
  if copied then redis.call('HSETNX', KEYS[3], field, value) end
end
local at = 4
for i = 5, #KEYS do
  keep('key ' .. KEYS[i], '')
  redis.call('SET', KEYS[i], '1', 'PX', ARGV[at])
  at = at + 1
end
if ARGV[3] ~= '' then
  keep('key ' .. KEYS[4], ARGV[2])
  redis.call('SET', KEYS[4], ARGV[3])
end
local function keep_window(member)
  if copied then keep('open ' .. member, redis.call('ZSCORE', KEYS[2], member) or '') end
end
local opens = tonumber(ARGV[at])
at = at + 1
for _ = 1, opens do
  keep_window(ARGV[at + 1])
  redis.call('ZADD', KEYS[2], ARGV[at], ARGV[at + 1])
  at = at + 2
end
local closes = tonumber(ARGV[at])
at = at + 1
for _ = 1, closes do
  keep_window(ARGV[at])
  redis.call('ZREM', KEYS[2], ARGV[at])
  at = at + 1
end
add(KEYS[1], at, #ARGV)
return 1
`;

const ADD_UP = `
${ADD}
add(KEYS[1], 1, #ARGV)
return 1
`;

/** Arguments: the number of sums; fields and amounts of these; fields and values of maxima. */
const RECORD_MIRRORS = `
${ADD}
local sums = tonumber(ARGV[1])
add(KEYS[1], 2, 1 + 2 * sums)
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

/**
 * Begins a copy of a phase, and returns its sums, epochs and mirrors as they are; empty where another copy is under way. Keys: what was
 * before, and these three.
 */
const BEGIN_COPY = `
if redis.call('EXISTS', KEYS[1]) == 1 then return {} end
redis.call('HSET', KEYS[1], '', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[3]), redis.call('HGETALL', KEYS[4])}
`;

/** A copy that took too long between two calls has lost what was before. */
const GO_ON_COPYING = `
if redis.call('HGET', KEYS[1], '') ~= ARGV[1] then
  return redis.error_reply('the backup was held up for too long, and its phases have changed; make it again')
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
`;

/** Returns the value and the lifetime of each key as it was when the copy began; an empty value: it wasn't there. Only claims end. */
const COPY_KEYS = `
${GO_ON_COPYING}
local found = {}
if #KEYS == 1 then return found end
local fields = {}
for i = 2, #KEYS do fields[i - 1] = 'key ' .. KEYS[i] end
local before = redis.call('HMGET', KEYS[1], unpack(fields))
local now = redis.call('MGET', unpack(KEYS, 2))
for i = 1, #fields do
  local value = before[i] or now[i] or ''
  found[#found + 1] = value
  local ends = value ~= '' and string.find(fields[i], ':outcome:', 1, true)
  found[#found + 1] = ends and redis.call('PTTL', KEYS[i + 1]) or -1
end
return found
`;

/** Returns the next cursor, and those of the windows it came to that nobody has touched since the copy began, with their times. */
const COPY_WINDOWS = `
${GO_ON_COPYING}
local step = redis.call('ZSCAN', KEYS[2], ARGV[3], 'COUNT', 200)
local untouched = {}
for i = 1, #step[2], 2 do
  if redis.call('HEXISTS', KEYS[1], 'open ' .. step[2][i]) == 0 then
    untouched[#untouched + 1] = step[2][i]
    untouched[#untouched + 1] = step[2][i + 1]
  end
end
return {step[1], untouched}
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
  redis.defineCommand('signalboxBeginCopy', { numberOfKeys: 4, lua: BEGIN_COPY });
  redis.defineCommand('signalboxCopyKeys', { lua: COPY_KEYS });
  redis.defineCommand('signalboxCopyWindows', { numberOfKeys: 2, lua: COPY_WINDOWS });
  redis.defineCommand('signalboxAddUp', { numberOfKeys: 1, lua: ADD_UP });
}
