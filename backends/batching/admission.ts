import { BackendError } from '../errors.ts';
import type { InferRequest } from '../inference.ts';
import type { CostModel } from './cost-model.ts';
import { workMs } from './latency-target.ts';
import type { Backlog, LatencyTarget } from './latency-target.ts';
import type { QueuePlace } from './pending.ts';
import type { QueuePolicies } from './queue-policies.ts';
import type { RequestQueue } from './request-queue.ts';
import type { RunnerPool } from './runner-pool.ts';

export interface AdmissionOptions {
  readonly policies: QueuePolicies;
  readonly queue: RequestQueue;
  readonly runners: RunnerPool;
  readonly cost: CostModel;
  readonly target: LatencyTarget | undefined;
  /** Rows a batch may have, >= 1. */
  readonly maxRows: number;
}

/** Decides at a request's arrival whether it may wait, and where; what can't be answered in time is refused at once. */
export class Admission {
  readonly #options: AdmissionOptions;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** @throws BackendError where it may not: `cancelled`, `invalid_input`, `queue_full`, `deadline_unreachable` */
  admit(request: InferRequest, rows: number, lane: string): QueuePlace {
    if (request.signal?.aborted === true) throw new BackendError('cancelled', 'the caller hung up');
    const { policies, queue, target } = this.#options;
    const level = policies.levelOf(request);
    const most = policies.maxQueueSizeOf(level);
    if (queue.lengthOf(level) >= most) {
      throw new BackendError('queue_full', `Exceeds maximum queue size (${most} requests)`, {
        retryAfterMs: this.retryAfterMs(),
      });
    }
    if (target !== undefined) this.#shed(target, request, rows, level);
    return { lane, level, timeoutMs: policies.timeoutMsOf(level, request) };
  }

  /** Milliseconds until all that wait now have been run; undefined while the cost of a run is not known, or no instance lives. */
  retryAfterMs(): number | undefined {
    const { queue, runners, cost } = this.#options;
    if (!cost.isKnown || runners.size === 0) return undefined;
    const backlog = this.#backlog(queue.rowsBefore(Infinity));
    return backlog.freeInMs + workMs(backlog, cost);
  }

  #shed(target: LatencyTarget, request: InferRequest, rows: number, level: number): void {
    const { queue, runners } = this.#options;
    const nowMs = performance.now();
    target.noteArrival(rows, nowMs);
    if (runners.size === 0) return;
    // An instance that is idle answers as fast as can be: a target that no run can meet is no reason to answer nobody.
    const targetMs = runners.idle > 0 && queue.length === 0 ? Infinity : target.targetMs;
    const leftMs = Math.min(targetMs, request.deadlineMs - nowMs);
    const neededMs = target.answerInMs(this.#backlog(queue.rowsBefore(level) + rows), nowMs);
    if (neededMs === undefined || neededMs <= leftMs) return;
    throw new BackendError(
      'deadline_unreachable',
      `the request can't be answered within ${wholeMs(leftMs)} ms: with what waits before it, it would take about ${wholeMs(neededMs)} ms`,
      { retryAfterMs: this.retryAfterMs() },
    );
  }

  #backlog(rows: number): Backlog {
    const { queue, runners, cost, maxRows } = this.#options;
    return {
      rows,
      // Requests that can't share a batch take one each, however few rows they have.
      batches: Math.max(1, Math.ceil(rows / maxRows), queue.laneCount),
      freeInMs: runners.freeInMs(cost, performance.now()),
      instances: Math.max(1, runners.size),
    };
  }
}

function wholeMs(ms: number): string {
  return Math.max(0, Math.ceil(ms)).toFixed(0);
}
