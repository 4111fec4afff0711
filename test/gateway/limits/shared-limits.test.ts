import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectRedis } from '../../../experiments/stores/redis-connection.ts';
import { GatewayError } from '../../../gateway/errors.ts';
import { UNLIMITED } from '../../../gateway/limits/caller-limits.ts';
import { Limits } from '../../../gateway/limits/limits.ts';
import type { LimitedCaller } from '../../../gateway/limits/limits.ts';
import type { Rate } from '../../../gateway/limits/rate.ts';
import { SharedBuckets } from '../../../gateway/limits/shared-buckets.ts';
import { findRedis, startRedis } from '../../servers/redis-server.ts';
import type { RunningRedis } from '../../servers/redis-server.ts';
import { eventually } from '../running-gateway.ts';

const found = await findRedis();
const program = found.kind === 'found' ? found.program : '';

/** The limits of one replica. */
class Replica extends Limits implements Disposable {
  fallbacks = 0;

  constructor(url: string, redisTimeoutMs?: number) {
    const config = {
      cost: 'rows',
      address: UNLIMITED,
      key: UNLIMITED,
      models: new Map(),
      experiments: new Map(),
    } as const;
    super(config, {
      shared: new SharedBuckets(url, redisTimeoutMs),
      onFallback: () => (this.fallbacks += 1),
    });
  }

  /** @returns whether it was let through */
  async tries(caller: LimitedCaller, rows = 1): Promise<boolean> {
    return (await this.verdict(caller, rows)) === undefined;
  }

  async verdict(caller: LimitedCaller, rows: number): Promise<GatewayError | undefined> {
    try {
      await this.take(caller, 'simple', '', rows);
      return undefined;
    } catch (error) {
      if (error instanceof GatewayError) return error;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function callerOf(id: string, rate: Rate, daily?: number): LimitedCaller {
  return { id, limits: { rate, concurrency: undefined, daily } };
}

describe.skipIf(found.kind === 'missing')('limits that replicas share in Redis', () => {
  let redis: RunningRedis;
  beforeAll(async () => {
    redis = await startRedis(program);
  });
  afterAll(() => redis[Symbol.asyncDispose]());

  /** A replica that Redis answers. */
  const replica = async (): Promise<Replica> => {
    // A machine that is busy with other tests is not what is tested.
    const made = new Replica(redis.url, 10_000);
    const probe = callerOf('probe', { limit: 1e8, periodMs: 1000, burst: 1e8 });
    await eventually(async () => {
      const before = made.fallbacks;
      await made.tries(probe);
      return made.fallbacks === before;
    });
    made.fallbacks = 0;
    return made;
  };

  test('let through what one limit would, to 1 %, from 32 callers on three replicas', async () => {
    using a = await replica();
    using b = await replica();
    using c = await replica();
    const replicas = [a, b, c];
    // A bucket that is never full loses nothing: it takes this machine four seconds of standing still to fill it.
    const rate: Rate = { limit: 500, periodMs: 1000, burst: 2000 };
    const caller = (): LimitedCaller => callerOf('crowd', rate);
    const control = connectRedis(redis.url);
    await eventually(() => control.status === 'ready');
    const nowUs = async (): Promise<number> => {
      const [seconds, micros] = await control.time();
      return Number(seconds) * 1e6 + Number(micros);
    };
    let passed = 0;
    const crowd = (goesOn: (passes: boolean) => Promise<boolean> | boolean): Promise<unknown> =>
      Promise.all(
        Array.from({ length: 32 }, async (_, index) => {
          for (;;) {
            const passes = await (replicas[index % replicas.length] ?? a).tries(caller());
            if (passes) passed += 1;
            if (!(await goesOn(passes))) return;
          }
        }),
      );
    /** Takes what is left. @returns times between which the bucket was empty */
    const drain = async (): Promise<{ readonly beforeUs: number; readonly afterUs: number }> => {
      for (;;) {
        const beforeUs = await nowUs();
        if (!(await a.tries(caller()))) return { beforeUs, afterUs: await nowUs() };
        passed += 1;
      }
    };
    const given = (fromUs: number, toUs: number): number => ((toUs - fromUs) / 1e6) * rate.limit;

    const firstUs = await nowUs();
    await crowd((passes) => passes);
    const start = await drain();
    expect(passed).toBeGreaterThanOrEqual(rate.burst);
    expect(passed).toBeLessThanOrEqual(rate.burst + given(firstUs, start.afterUs) + 1);

    passed = 0;
    await crowd(async () => (await nowUs()) < start.afterUs + 2.5e6);
    const end = await drain();
    control.disconnect();
    expect(a.fallbacks + b.fallbacks + c.fallbacks).toBe(0);
    expect(passed).toBeLessThanOrEqual(given(start.beforeUs, end.afterUs) + 1);
    expect(passed).toBeGreaterThan(given(start.afterUs, end.beforeUs) * 0.99);
  });

  test('count rows, and quotas of the day', async () => {
    using a = await replica();
    using b = await replica();
    const caller = (): LimitedCaller => callerOf('rows', { limit: 1, periodMs: 86_400_000, burst: 10 }, 12);
    expect(await a.tries(caller(), 8)).toBe(true);
    expect((await b.verdict(caller(), 3))?.code).toBe('rate_limited');
    expect(await b.tries(caller(), 2)).toBe(true);
    const tooMany = await b.verdict(caller(), 11);
    expect(tooMany?.message).toContain('send fewer at once');
    expect(tooMany?.headers['retry-after']).toBeUndefined();
    const quota = (): LimitedCaller => callerOf('quota', { limit: 1000, periodMs: 1000, burst: 1000 }, 12);
    expect(await a.tries(quota(), 12)).toBe(true);
    const used = await b.verdict(quota(), 1);
    expect(used?.code).toBe('quota_exceeded');
    expect(Number(used?.headers['retry-after'])).toBeGreaterThan(0);
  });

  test('turn a caller who hammers away without asking Redis again', async () => {
    using a = await replica();
    const caller = callerOf('hammering', { limit: 1, periodMs: 3_600_000, burst: 1 });
    expect(await a.tries(caller)).toBe(true);
    a.look(caller);
    expect(await a.tries(caller)).toBe(false);
    expect(() => {
      a.look(caller);
    }).toThrow('hammering may send 1 rows an hour');
  });

  test('hold in each replica for itself while Redis is away, which is counted, and are shared again after', async () => {
    await using lone = await startRedis(program);
    using a = new Replica(lone.url);
    const caller = callerOf('away', { limit: 1, periodMs: 3_600_000, burst: 3 });
    await eventually(async () => {
      const before = a.fallbacks;
      await a.tries(callerOf('probe', { limit: 1e8, periodMs: 1000, burst: 1e8 }));
      return a.fallbacks === before;
    });
    const before = a.fallbacks;
    await lone.kill();
    const verdicts: boolean[] = [];
    for (let i = 0; i < 5; i++) verdicts.push(await a.tries(caller));
    expect(verdicts).toEqual([true, true, true, false, false]);
    expect(a.fallbacks - before).toBe(5);
    await lone.start();
    await eventually(async () => {
      const counted = a.fallbacks;
      return (await a.tries(caller)) && a.fallbacks === counted;
    });
  });

  test('never wait for a Redis that has stopped answering, but once', async () => {
    await using lone = await startRedis(program);
    using a = new Replica(lone.url);
    const caller = callerOf('frozen', { limit: 1000, periodMs: 1000, burst: 1000 });
    await eventually(async () => {
      const before = a.fallbacks;
      await a.tries(caller);
      return a.fallbacks === before;
    });
    lone.freeze();
    await a.tries(caller);
    const taken = a.take(caller, 'simple', '', 1);
    expect(taken).not.toBeInstanceOf(Promise);
    lone.thaw();
  });
});
