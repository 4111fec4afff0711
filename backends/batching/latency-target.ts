/**
 * What a latency target makes of the learnt cost of a run: how many rows are worth waiting for, until when, and which
 * request can't be answered in time any more.
 *
 * A run of r rows takes `a + b·r`. With rows coming at a rate of λ and n instances, those are busy for a share of
 * `λ·(a + b·r) / (r·n)` of the time. Bigger batches lower it, as the fixed cost `a` is paid less often. The batcher waits for the
 * smallest r that keeps the share at {@link BUSY_SHARE}: at a low load that is one row and nothing waits, and near
 * saturation it is the largest batch. It never waits longer than the target lets the oldest request: the batch has to
 * start while its predicted end is still in time.
 */
import { ArrivalRate } from './arrival-rate.ts';
import type { CostModel } from './cost-model.ts';

/** The share of the time for which instances should be busy at the most, if bigger batches can bring that about. */
const BUSY_SHARE = 0.8;

/** How long the rate of arrivals is remembered. */
const RATE_MEMORY_MS = 250;

/** Timers count in whole milliseconds and a worker has to be woken: a batch is sent this much before it is too late. */
export const TIMER_MARGIN_MS = 1;

/** What stands before a request that comes. */
export interface Backlog {
  /** Rows that are run before it or with it, its own among them. */
  readonly rows: number;
  /** Batches that those take at the least. */
  readonly batches: number;
  /** Milliseconds until an instance is free; 0: one is. */
  readonly freeInMs: number;
  /** Instances that live, >= 1. */
  readonly instances: number;
}

export class LatencyTarget {
  readonly targetMs: number;
  readonly #cost: CostModel;
  readonly #arrivals = new ArrivalRate(RATE_MEMORY_MS);

  constructor(targetMs: number, cost: CostModel) {
    this.targetMs = targetMs;
    this.#cost = cost;
  }

  noteArrival(rows: number, nowMs: number): void {
    this.#arrivals.note(rows, nowMs);
  }

  /** Rows that a batch should have before it is sent, if there is time; 1 while the cost is not known. */
  rowsWorthWaitingFor(instances: number, maxRows: number, nowMs: number): number {
    if (!this.#cost.isKnown) return 1;
    const rate = this.#arrivals.rowsPerMs(nowMs);
    const spare = BUSY_SHARE * instances - rate * this.#cost.perRowMs;
    return spare <= 0 ? maxRows : Math.min(maxRows, (rate * this.#cost.fixedMs) / spare);
  }

  /** Milliseconds from now until a request that comes now is answered; undefined while the cost is not known, or no longer. */
  answerInMs(backlog: Backlog, nowMs: number): number | undefined {
    if (!this.#cost.isKnown || !this.#cost.isFresh(nowMs)) return undefined;
    return backlog.freeInMs + workMs(backlog, this.#cost);
  }
}

/** When a run of so many rows has to start to be over at `endMs`, with what runs take longer now and then. */
export function latestStartMs(cost: CostModel, rows: number, endMs: number): number {
  const runMs = (cost.predictMs(rows) ?? 0) + 2 * cost.meanResidualMs;
  return endMs - runMs - TIMER_MARGIN_MS;
}

/** Milliseconds until the last of a backlog is run, from when the first instance is free. */
export function workMs({ rows, batches, instances }: Backlog, cost: CostModel): number {
  const lastRows = rows / batches;
  const lastMs = cost.predictMs(lastRows) ?? 0;
  // The batches before it are shared out over the instances.
  return (lastMs * (batches - 1)) / instances + lastMs;
}
