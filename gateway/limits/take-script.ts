import type { Redis, Cluster, Result } from 'ioredis';

declare module 'ioredis' {
  interface RedisCommander<Context> {
    signalboxTake(keys: number, ...keysAndArguments: (string | number)[]): Result<number[], Context>;
  }
}

/** Numbers that are answered for each bucket: what remains, and the microseconds to its reset and until the request would pass. */
export const NUMBERS_PER_BUCKET = 3;

/**
 * Takes from all buckets, or from none: the same rule as in memory (`gcra.ts`), by the server's clock, since replicas' clocks differ.
 *
 * Arguments: the cost; then for each key `rate`, the microseconds between two requests and those that the burst lasts, or `day`, the
 * limit and 0. Answers 1 or 0, and three numbers for each key; -1 stands for "never".
 *
 * Times are microseconds since 2026, because doubles keep fractions of those, and are written with all their digits. A time that
 * is further away than a full bucket can be was written before the server's clock was put back: it counts as a full bucket.
 */
const TAKE = `
local time = redis.call('TIME')
local seconds = tonumber(time[1])
local now = (seconds - 1767225600) * 1000000 + tonumber(time[2])
local day = math.floor(seconds / 86400)
local dayLeft = ((day + 1) * 86400 - seconds) * 1000000 - tonumber(time[2])
local cost = tonumber(ARGV[1])
local allowed = 1
local found = {}
for i, key in ipairs(KEYS) do
  local at = 2 + (i - 1) * 3
  local first, second = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local bucket = { isRate = ARGV[at] == 'rate', first = first, second = second }
  local kept = redis.call('GET', key)
  if bucket.isRate then
    local start = math.min(math.max(now, tonumber(kept or '0')), now + second)
    bucket.start = start
    bucket.filled = start + cost * first
    bucket.wait = bucket.filled - second - now
    if bucket.wait <= first / 1000 then bucket.wait = 0 end
    if cost * first > second + first / 1000 then bucket.wait = -1 end
  else
    bucket.used = tonumber(kept or '0')
    bucket.wait = 0
    if bucket.used + cost > first then bucket.wait = dayLeft end
    if cost > first then bucket.wait = -1 end
  end
  if bucket.wait ~= 0 then allowed = 0 end
  found[i] = bucket
end
local answer = { allowed }
for i, key in ipairs(KEYS) do
  local bucket = found[i]
  if bucket.isRate then
    local emptyAt = bucket.start
    if allowed == 1 then
      emptyAt = bucket.filled
      redis.call('SET', key, string.format('%.17g', emptyAt), 'PX', math.ceil((emptyAt - now) / 1000) + 1000)
    end
    answer[#answer + 1] = math.max(0, math.floor((bucket.second - (emptyAt - now)) / bucket.first + 0.001))
    answer[#answer + 1] = math.ceil(emptyAt - now)
  else
    local used = bucket.used
    if allowed == 1 then
      used = used + cost
      redis.call('SET', key, string.format('%.17g', used), 'PX', math.ceil(dayLeft / 1000))
    end
    answer[#answer + 1] = math.max(0, math.floor(bucket.first - used))
    answer[#answer + 1] = dayLeft
  end
  answer[#answer + 1] = math.ceil(bucket.wait)
end
return answer
`;

export function defineTake(redis: Redis | Cluster): void {
  redis.defineCommand('signalboxTake', { lua: TAKE });
}
