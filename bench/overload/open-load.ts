/** An open loop: requests are due at a rate, whatever becomes of those before them; each has a connection to itself while it is under way. */
import { Connection } from '../load/http-load.ts';
import { seededRandom } from '../simulations/random.ts';

export interface OpenLoad {
  readonly port: number;
  /** A whole HTTP/1.1 request. */
  readonly request: Buffer;
  readonly ratePerSecond: number;
  readonly seconds: number;
  /** Answers later than that are of no use to anybody, and are not waited for. */
  readonly patienceMs: number;
  /** At even distances, or at random as callers who know nothing of each other (a Poisson process, from a fixed seed). Default even. */
  readonly arrivals?: 'even' | 'random';
}

export interface OpenLoadResult {
  readonly sent: number;
  /** Answers with 200 in time. */
  readonly good: number;
  readonly goodPerSecond: number;
  /** Of the good ones, from when they were due. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Answers with another status, by status. */
  readonly refused: Readonly<Record<string, number>>;
  /** Of those. */
  readonly refusedP99Ms: number;
  /** Requests that were given up. */
  readonly late: number;
  readonly failed: number;
  /** Requests that were sent more than 50 ms after they were due: where there are many, the load was the bottleneck. */
  readonly sentLate: number;
  /** Processor time that the load itself used. */
  readonly processorMs: number;
}

export async function runOpenLoad(options: OpenLoad): Promise<OpenLoadResult> {
  const { port, request, ratePerSecond, seconds, patienceMs, arrivals = 'even' } = options;
  const idle: Connection[] = [];
  const goodMs: number[] = [];
  const refusedMs: number[] = [];
  const refused: Record<string, number> = {};
  let [late, failed, sentLate, sent] = [0, 0, 0, 0];
  const ask = async (dueMs: number): Promise<void> => {
    sent += 1;
    try {
      const connection = idle.pop() ?? (await Connection.open('127.0.0.1', port));
      if (performance.now() - dueMs > 50) sentLate += 1;
      let isLate = false;
      const timer = setTimeout(() => {
        isLate = true;
        connection.close();
      }, patienceMs);
      const status = await connection.send(request).catch(() => (isLate ? 'late' : 'failed'));
      clearTimeout(timer);
      const ms = performance.now() - dueMs;
      if (status === 'late') late += 1;
      else if (status === 'failed') failed += 1;
      else idle.push(connection);
      if (status === 200) goodMs.push(ms);
      else if (typeof status === 'number') {
        refused[status] = (refused[status] ?? 0) + 1;
        refusedMs.push(ms);
      }
    } catch {
      failed += 1;
    }
  };
  const startCpu = process.cpuUsage();
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  const underWay = new Set<Promise<void>>();
  const random = seededRandom(1);
  /** To the next request, in mean distances. */
  const distance = (): number => (arrivals === 'even' ? 1 : -Math.log(1 - random()));
  let due = 0;
  await new Promise<void>((resolve) => {
    const tick = (): void => {
      const nowMs = performance.now();
      for (let dueMs = startMs + (due * 1000) / ratePerSecond; dueMs <= nowMs && dueMs < endMs;) {
        const asked = ask(dueMs).finally(() => underWay.delete(asked));
        underWay.add(asked);
        due += distance();
        dueMs = startMs + (due * 1000) / ratePerSecond;
      }
      if (nowMs >= endMs) resolve();
      else setTimeout(tick, 1);
    };
    tick();
  });
  await Promise.all(underWay);
  for (const connection of idle) connection.close();
  const { user, system } = process.cpuUsage(startCpu);
  const quantile = (values: readonly number[], q: number): number =>
    values.toSorted((a, b) => a - b)[Math.floor(q * (values.length - 1))] ?? Number.NaN;
  return {
    sent,
    good: goodMs.length,
    goodPerSecond: goodMs.length / seconds,
    p50Ms: quantile(goodMs, 0.5),
    p99Ms: quantile(goodMs, 0.99),
    refused,
    refusedP99Ms: quantile(refusedMs, 0.99),
    late,
    failed,
    sentLate,
    processorMs: (user + system) / 1000,
  };
}
