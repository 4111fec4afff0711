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

/** The longest that a timer of Node waits; a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export class Batcher {
  readonly #options: BatcherOptions;
  /** Requests that can share a batch, oldest first; the key says what they have in common. */
  readonly #lanes = new Map<string, Lane>();
  readonly #idle: BatchRunner[] = [];
  readonly #running = new Set<Pending>();
  #queued = 0;
  /** Requests that were ever queued. */
  #arrived = 0;
  #dispatchIsDue = false;
  #draining = false;
  #delayTimer: NodeJS.Timeout | undefined;
  #expiry: { readonly timer: NodeJS.Timeout; readonly atMs: number } | undefined;
  readonly #drained = Promise.withResolvers<undefined>();

  constructor(options: BatcherOptions) {
    this.#options = options;
  }

  /** Requests that wait. */
  get queued(): number {
    return this.#queued;
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
      if (this.#queued >= this.#options.maxQueuedRequests) {
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
      this.#enqueue(pending);
      this.#arrived += 1;
      this.#watchDeadline(request.deadlineMs);
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
    clearTimeout(this.#expiry?.timer);
  }

  /** Fails all that wait, because no instance is left that could answer. */
  failQueued(error: BackendError): void {
    for (const lane of [...this.#lanes.values()]) {
      for (const pending of [...lane.members]) this.#giveUp(pending, error);
    }
  }

  #enqueue(pending: Pending): void {
    let lane = this.#lanes.get(pending.lane);
    if (lane === undefined) {
      lane = { key: pending.lane, members: new Set(), rows: 0 };
      this.#lanes.set(pending.lane, lane);
    }
    lane.members.add(pending);
    lane.rows += pending.rows;
    this.#queued += 1;
  }

  /** Puts requests whose instance died back where they came from: in the order of their arrival. */
  #requeue(members: readonly Pending[]): void {
    const [first] = members;
    if (first === undefined) return;
    const waiting = [...(this.#lanes.get(first.lane)?.members ?? [])];
    for (const pending of waiting) this.#unqueue(pending);
    const all = [...members, ...waiting].sort((a, b) => a.arrivalMs - b.arrivalMs);
    for (const pending of all) this.#enqueue(pending);
  }

  #unqueue(pending: Pending): void {
    const lane = this.#lanes.get(pending.lane);
    if (lane?.members.delete(pending) !== true) return;
    lane.rows -= pending.rows;
    this.#queued -= 1;
    if (lane.members.size === 0) this.#lanes.delete(lane.key);
  }

  /** At the end of this turn of the event loop, so that all it brought can share a batch. */
  #dispatchSoon(): void {
    if (this.#dispatchIsDue || this.#idle.length === 0 || this.#queued === 0) return;
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
    for (const lane of this.#lanes.values()) if (lane.rows >= this.#options.maxRows) return true;
    return false;
  }

  #dispatch(): void {
    clearTimeout(this.#delayTimer);
    this.#delayTimer = undefined;
    const nowMs = performance.now();
    // The timer may be late: when the loop was held, or the deadline had passed on arrival.
    if (this.#expiry !== undefined && this.#expiry.atMs <= nowMs) this.#expire();
    while (this.#idle.length > 0 && this.#queued > 0) {
      const release = this.#nextRelease(nowMs);
      if (release === undefined) return;
      const runner = this.#idle.shift();
      if (runner === undefined) return;
      void this.#run(runner, this.#take(release), release.reason, nowMs);
    }
  }

  /** The oldest lane that may go now; where all have to wait, sets the timer for the first that may. */
  #nextRelease(nowMs: number): Release | undefined {
    let next: Release | undefined;
    let oldestMs = Infinity;
    let waitMs = Infinity;
    for (const lane of this.#lanes.values()) {
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
    const preferred = largestPrefix(lane, preferredRows);
    if (preferred > 0) return { lane, rows: preferred, reason: 'preferred' };
    return remainingMs <= 0 ? { lane, rows: maxRows, reason: 'delay' } : undefined;
  }

  #take({ lane, rows }: Release): readonly Pending[] {
    const taken: Pending[] = [];
    let taking = 0;
    for (const pending of lane.members) {
      if (taken.length > 0 && taking + pending.rows > rows) break;
      taken.push(pending);
      taking += pending.rows;
    }
    for (const pending of taken) this.#unqueue(pending);
    return taken;
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
    this.#requeue(again);
  }

  /** One timer, for the earliest deadline of all that wait or run. */
  #watchDeadline(deadlineMs: number): void {
    if (!Number.isFinite(deadlineMs) || (this.#expiry !== undefined && this.#expiry.atMs <= deadlineMs))
      return;
    clearTimeout(this.#expiry?.timer);
    const waitMs = Math.min(Math.max(1, deadlineMs - performance.now()), LONGEST_TIMER_MS);
    const timer = setTimeout(() => {
      this.#expire();
    }, waitMs);
    this.#expiry = { timer, atMs: deadlineMs };
  }

  #expire(): void {
    clearTimeout(this.#expiry?.timer);
    this.#expiry = undefined;
    const nowMs = performance.now();
    let nextMs = Infinity;
    const visit = (pending: Pending, error: () => BackendError): void => {
      const { deadlineMs } = pending.request;
      if (pending.isSettled) return;
      if (deadlineMs <= nowMs) this.#giveUp(pending, error());
      else nextMs = Math.min(nextMs, deadlineMs);
    };
    for (const lane of [...this.#lanes.values()]) {
      for (const pending of [...lane.members]) {
        visit(
          pending,
          () => new BackendError('expired_in_queue', 'Request timeout expired while it was queued'),
        );
      }
    }
    for (const pending of this.#running) {
      visit(pending, () => new BackendError('expired_in_run', 'Request timeout expired while the model ran'));
    }
    this.#watchDeadline(nextMs);
  }

  #giveUp(pending: Pending, error: BackendError): void {
    this.#unqueue(pending);
    pending.reject(error);
    this.#settleDrain();
  }

  #settleDrain(): void {
    if (this.#draining && this.#queued === 0 && this.#running.size === 0) this.#drained.resolve(undefined);
  }
}

interface Lane {
  readonly key: string;
  readonly members: Set<Pending>;
  rows: number;
}

interface Release {
  readonly lane: Lane;
  /** Rows to take at the most. */
  readonly rows: number;
  readonly reason: ReleaseReason;
}

/** The largest preferred size that the oldest members of a lane add up to; 0 where there is none. */
function largestPrefix(lane: Lane, preferredRows: readonly number[]): number {
  if (preferredRows.length === 0) return 0;
  const largest = Math.max(...preferredRows);
  let found = 0;
  let rows = 0;
  for (const pending of lane.members) {
    rows += pending.rows;
    if (rows > largest) break;
    if (preferredRows.includes(rows)) found = rows;
  }
  return found;
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
