/**
 * The dynamic batcher of one version: one queue, from which all instances of the version pull.
 *
 * Guarantees: requests leave the queue in the order they came, within the lane of those that can share a batch;
 * each is answered once, with its own rows; an idle instance never waits while a request is queued, unless a queue
 * delay tells it to wait for a bigger batch; one that was cancelled or is past its deadline never reaches the model.
 * Nothing is polled: arrivals, finished batches and two timers move it.
 *
 * What arrives in one turn of the event loop is batched together at no cost in time, and what arrives in the next few when
 * they bring more and more; beyond that, the queue that builds up while the instances are busy makes the next batch. Set a queue delay only where the model gains more from
 * bigger batches than the callers lose by waiting.
 */
import { BackendError } from '../errors.ts';
import type { InferAnswer, InferRequest, ReleaseReason } from '../inference.ts';
import type { BatchResult, BatchRunner } from './runner.ts';
import { RunnerGone } from './runner.ts';
import { DeadlineTimer } from './deadline-timer.ts';
import { LaneQueue, largestPreferred } from './lane-queue.ts';
import type { Lane } from './lane-queue.ts';
import { Pending } from './pending.ts';

export interface BatcherOptions {
  /** Rows a batch may have, >= 1. */
  readonly maxRows: number;
  /** How long the oldest request may wait for a bigger batch while an instance is idle; 0: not at all. */
  readonly maxQueueDelayMs: number;
  /** Batch sizes in rows that are worth releasing before the delay is over. */
  readonly preferredRows: readonly number[];
  /** Requests that may wait; one more is refused. */
  readonly maxQueuedRequests: number;
  /** Told of each batch as it starts. */
  readonly onBatch?: (rows: number, reason: ReleaseReason) => void;
}

/** Turns of the event loop that a batch is filled over, at the most, while an instance is idle. */
const MOST_TURNS = 4;

/** Times a request is sent to a model again because the instance died under it. */
const MAX_ATTEMPTS = 2;

export class Batcher {
  readonly #options: BatcherOptions;
  readonly #queue = new LaneQueue();
  readonly #idle: BatchRunner[] = [];
  readonly #running = new Set<Pending>();
  /** Requests that were ever queued. */
  #arrived = 0;
  #dispatchIsDue = false;
  #draining = false;
  #delayTimer: NodeJS.Timeout | undefined;
  readonly #deadlines = new DeadlineTimer(() => {
    this.#expire();
  });
  readonly #drained = Promise.withResolvers<undefined>();

  constructor(options: BatcherOptions) {
    this.#options = options;
  }

  /** Requests that wait. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Requests in a batch that runs now. */
  get running(): number {
    return this.#running.size;
  }

  /** Adds an instance, idle. */
  addRunner(runner: BatchRunner): void {
    this.#idle.push(runner);
    this.#dispatchSoon();
  }

  /** Gives an instance that died while it was idle no more work. */
  removeRunner(runner: BatchRunner): void {
    const index = this.#idle.indexOf(runner);
    if (index >= 0) this.#idle.splice(index, 1);
  }

  /**
   * Queues a request until it is answered.
   *
   * @param rows 1 to `maxRows`
   * @param lane what it has in common with those it can share a batch with
   * @throws BackendError
   */
  submit(request: InferRequest, rows: number, lane: string): Promise<InferAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#draining) {
        reject(new BackendError('unavailable', 'the version is being unloaded'));
        return;
      }
      if (this.#queue.length >= this.#options.maxQueuedRequests) {
        const { maxQueuedRequests } = this.#options;
        reject(new BackendError('queue_full', `Exceeds maximum queue size (${maxQueuedRequests} requests)`));
        return;
      }
      if (request.signal?.aborted === true) {
        reject(new BackendError('cancelled', 'the caller hung up'));
        return;
      }
      const pending = new Pending(request, rows, lane, { resolve, reject }, () => {
        this.#giveUp(pending, new BackendError('cancelled', 'the caller hung up'));
      });
      this.#queue.add(pending);
      this.#arrived += 1;
      this.#deadlines.watch(request.deadlineMs);
      this.#dispatchSoon();
    });
  }

  /** Takes no more requests; resolves when all that were queued or running are answered. */
  async drain(): Promise<void> {
    this.#draining = true;
    this.#dispatchSoon();
    this.#settleDrain();
    await this.#drained.promise;
    clearTimeout(this.#delayTimer);
    this.#deadlines.stop();
  }

  /** Fails all that wait, because no instance is left that could answer. */
  failQueued(error: BackendError): void {
    for (const pending of this.#queue.members) this.#giveUp(pending, error);
  }

  /** At the end of this turn of the event loop, so that all it brought can share a batch. */
  #dispatchSoon(): void {
    if (this.#dispatchIsDue || this.#idle.length === 0 || this.#queue.length === 0) return;
    this.#dispatchIsDue = true;
    this.#dispatchAfterTurn(MOST_TURNS);
  }

  /**
   * While each turn brings more, the loop is what is busy, not the instances: a bigger batch then wakes fewer threads, and
   * costs no request more than a few turns.
   */
  #dispatchAfterTurn(turnsLeft: number): void {
    const arrivedBefore = this.#arrived;
    setImmediate(() => {
      if (this.#arrived > arrivedBefore && turnsLeft > 1 && !this.#hasFullBatch()) {
        this.#dispatchAfterTurn(turnsLeft - 1);
        return;
      }
      this.#dispatchIsDue = false;
      this.#dispatch();
    });
  }

  #hasFullBatch(): boolean {
    for (const lane of this.#queue.lanes) if (lane.rows >= this.#options.maxRows) return true;
    return false;
  }

  #dispatch(): void {
    clearTimeout(this.#delayTimer);
    this.#delayTimer = undefined;
    const nowMs = performance.now();
    if (this.#deadlines.isDue(nowMs)) this.#expire();
    while (this.#idle.length > 0 && this.#queue.length > 0) {
      const release = this.#nextRelease(nowMs);
      if (release === undefined) return;
      const runner = this.#idle.shift();
      if (runner === undefined) return;
      void this.#run(runner, this.#queue.take(release.lane, release.rows), release.reason, nowMs);
    }
  }

  /** The oldest lane that may go now; where all have to wait, sets the timer for the first that may. */
  #nextRelease(nowMs: number): Release | undefined {
    let next: Release | undefined;
    let oldestMs = Infinity;
    let waitMs = Infinity;
    for (const lane of this.#queue.lanes) {
      const [head] = lane.members;
      if (head === undefined) continue;
      const { maxQueueDelayMs } = this.#options;
      const remainingMs = head.arrivalMs + maxQueueDelayMs - nowMs;
      const release = this.#releaseOf(lane, remainingMs);
      if (release === undefined) waitMs = Math.min(waitMs, remainingMs);
      else if (head.arrivalMs < oldestMs) {
        next = release;
        oldestMs = head.arrivalMs;
      }
    }
    if (next === undefined && waitMs < Infinity) {
      this.#delayTimer = setTimeout(() => {
        this.#dispatch();
      }, waitMs);
    }
    return next;
  }

  #releaseOf(lane: Lane, remainingMs: number): Release | undefined {
    const { maxRows, maxQueueDelayMs, preferredRows } = this.#options;
    if (lane.rows >= maxRows) return { lane, rows: maxRows, reason: 'full' };
    if (this.#draining) return { lane, rows: maxRows, reason: 'drain' };
    if (maxQueueDelayMs === 0) return { lane, rows: maxRows, reason: 'idle' };
    const preferred = largestPreferred(lane, preferredRows);
    if (preferred > 0) return { lane, rows: preferred, reason: 'preferred' };
    return remainingMs <= 0 ? { lane, rows: maxRows, reason: 'delay' } : undefined;
  }

  async #run(
    runner: BatchRunner,
    members: readonly Pending[],
    reason: ReleaseReason,
    startMs: number,
  ): Promise<void> {
    const rows = members.reduce((sum, member) => sum + member.rows, 0);
    for (const member of members) this.#running.add(member);
    this.#options.onBatch?.(rows, reason);
    try {
      const result = await runner.run(members, rows);
      this.#answer(members, result, rows, startMs);
      this.#idle.push(runner);
    } catch (error) {
      this.#fail(members, error);
      if (!(error instanceof RunnerGone)) this.#idle.push(runner);
    }
    this.#dispatchSoon();
    this.#settleDrain();
  }

  #answer(members: readonly Pending[], result: BatchResult, rows: number, startMs: number): void {
    const batchId = ++lastBatchId;
    members.forEach((member, index) => {
      this.#running.delete(member);
      if (member.isSettled) {
        result.release();
        return;
      }
      let isLent = true;
      member.resolve({
        outputs: result.outputsOf(index),
        queueMs: startMs - member.arrivalMs,
        computeMs: result.computeMs,
        batchRows: rows,
        batchId,
        release: () => {
          if (isLent) result.release();
          isLent = false;
        },
      });
    });
  }

  #fail(members: readonly Pending[], error: unknown): void {
    const again: Pending[] = [];
    for (const member of members) {
      this.#running.delete(member);
      if (member.isSettled) continue;
      member.attempts += 1;
      if (error instanceof RunnerGone && member.attempts < MAX_ATTEMPTS) again.push(member);
      else if (error instanceof BackendError) member.reject(error);
      else member.reject(new BackendError('run_failed', errorText(error), { cause: error }));
    }
    this.#queue.putBack(again);
  }

  #expire(): void {
    this.#deadlines.stop();
    const nowMs = performance.now();
    const visit = (pending: Pending, error: () => BackendError): void => {
      const { deadlineMs } = pending.request;
      if (pending.isSettled) return;
      if (deadlineMs <= nowMs) this.#giveUp(pending, error());
      else this.#deadlines.watch(deadlineMs);
    };
    for (const pending of this.#queue.members) {
      visit(
        pending,
        () => new BackendError('expired_in_queue', 'Request timeout expired while it was queued'),
      );
    }
    for (const pending of this.#running) {
      visit(pending, () => new BackendError('expired_in_run', 'Request timeout expired while the model ran'));
    }
  }

  #giveUp(pending: Pending, error: BackendError): void {
    this.#queue.remove(pending);
    pending.reject(error);
    this.#settleDrain();
  }

  #settleDrain(): void {
    if (this.#draining && this.#queue.length === 0 && this.#running.size === 0)
      this.#drained.resolve(undefined);
  }
}

/** Of all versions of this process. */
let lastBatchId = 0;

interface Release {
  readonly lane: Lane;
  /** Rows to take at the most. */
  readonly rows: number;
  readonly reason: ReleaseReason;
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
