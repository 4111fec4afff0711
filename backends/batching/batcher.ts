/**
 * The dynamic batcher of one version: one queue, from which all instances of the version pull.
 *
 * Guarantees: requests leave the queue level by level, and in the order they came within a level and a lane of those that
 * can share a batch; each is answered once, with its own rows; an idle instance never waits while a request is queued, unless
 * a queue delay or a latency target tells it to wait for a bigger batch, or the device they share has no thread free; one that was
 * cancelled or is past its deadline never reaches the model. Nothing is polled: arrivals, finished batches, permits of the
 * device and two timers move it.
 *
 * What arrives in one turn of the event loop is batched together at no cost in time, and what arrives in the next few when
 * they bring more and more; beyond that, the queue that builds up while the instances are busy makes the next batch. Set a queue delay only where the model gains more from
 * bigger batches than the callers lose by waiting.
 */
import { BackendError } from '../errors.ts';
import type { InferAnswer, InferRequest, ReleaseReason } from '../inference.ts';
import type { Device, DeviceShare } from '../scheduling/device.ts';
import type { Gatherer, Gathering } from '../scheduling/gathering.ts';
import { Admission } from './admission.ts';
import { AnswerOrder } from './answer-order.ts';
import { Answers } from './answers.ts';
import type { BatchingConfig } from './batching-config.ts';
import { CostModel } from './cost-model.ts';
import { Expiry } from './expiry.ts';
import type { Lane } from './lane.ts';
import { LatencyTarget } from './latency-target.ts';
import { Pending } from './pending.ts';
import { QueuePolicies } from './queue-policies.ts';
import { releaseOf } from './release.ts';
import type { Release, ReleaseRules } from './release.ts';
import { RequestQueue } from './request-queue.ts';
import type { BatchRunner } from './runner.ts';
import { RunnerGone } from './runner.ts';
import { RunnerPool } from './runner-pool.ts';
import type { Run } from './runner-pool.ts';

export interface BatcherOptions {
  /** Rows a batch may have, >= 1. */
  readonly maxRows: number;
  readonly batching: BatchingConfig;
  /** Where the instances run. */
  readonly device: Device;
  /** Threads of the device that a run takes, >= 1. */
  readonly permits: number;
  /** Told of each batch as it starts. */
  readonly onBatch?: (rows: number, reason: ReleaseReason) => void;
}

export class Batcher {
  readonly #onBatch: BatcherOptions['onBatch'];
  readonly #policies: QueuePolicies;
  readonly #queue: RequestQueue;
  readonly #runners = new RunnerPool();
  readonly #admission: Admission;
  readonly #rules: ReleaseRules;
  readonly #share: DeviceShare;
  readonly #gathering: Gathering;
  readonly #gatherer: Gatherer;
  readonly #answers: Answers;
  /** Requests that were ever queued. */
  #arrived = 0;
  /** Requests that were ever put back to be run alone. */
  #isolated = 0;
  #draining = false;
  #delayTimer: NodeJS.Timeout | undefined;
  readonly #expiry: Expiry;
  readonly #drained = Promise.withResolvers<undefined>();

  constructor({ maxRows, batching, device, permits, onBatch }: BatcherOptions) {
    const cost = new CostModel();
    const { targetLatencyMs, preserveOrdering } = batching;
    const target = targetLatencyMs === undefined ? undefined : new LatencyTarget(targetLatencyMs, cost);
    this.#onBatch = onBatch;
    this.#policies = new QueuePolicies(batching);
    this.#queue = new RequestQueue(this.#policies.lastLevel);
    this.#rules = { batching, maxRows, cost, target };
    const [policies, queue, runners] = [this.#policies, this.#queue, this.#runners];
    this.#admission = new Admission({ policies, queue, runners, cost, target, maxRows });
    this.#answers = new Answers(preserveOrdering ? new AnswerOrder(this.#policies.lastLevel) : undefined);
    this.#expiry = new Expiry(queue, this.#answers.unanswered, {
      giveUp: (pending, error) => {
        this.#giveUp(pending, error);
      },
      outstay: (pending) => {
        this.#outstay(pending);
      },
    });
    this.#gathering = device.gathering;
    const dispatch = (): void => {
      this.#dispatch();
    };
    const share = device.share(permits, dispatch);
    this.#share = share;
    this.#gatherer = {
      get usedMs() {
        return share.usedMs;
      },
      hasFullBatch: () => this.#hasFullBatch(),
      dispatch,
    };
  }

  /** Requests that wait. */
  get queued(): number {
    return this.#queue.length;
  }

  /** How long the request has waited that has waited longest, in milliseconds; 0 where none waits. */
  get longestWaitMs(): number {
    const nowMs = performance.now();
    return this.#queue.members.reduce((longest, { arrivalMs }) => Math.max(longest, nowMs - arrivalMs), 0);
  }

  /** Milliseconds until all that wait now have been run; 0 where nothing waits, undefined while the cost of a run is not known. */
  get expectedWaitMs(): number | undefined {
    return this.#queue.length === 0 ? 0 : this.#admission.retryAfterMs();
  }

  /** Requests in a batch that runs now, or whose answer waits for those that came before. */
  get running(): number {
    return this.#answers.unanswered.size;
  }

  /**
   * Whether a request of so many rows would run at once: an instance and the device are free, and what is queued, if anything, can
   * share its batch.
   */
  hasRoomFor(rows: number): boolean {
    if (this.#draining || this.#runners.idle === 0 || !this.#share.hasRoom) return false;
    return this.#queue.rowsBefore(Infinity) + rows <= this.#rules.maxRows;
  }

  /** Adds an instance, idle. */
  addRunner(runner: BatchRunner): void {
    this.#runners.add(runner);
    this.#dispatchSoon();
  }

  /** Gives an instance that died while it was idle no more work. */
  removeRunner(runner: BatchRunner): void {
    this.#runners.remove(runner);
  }

  /** Gives an instance no more work; resolves when it has none. */
  retireRunner(runner: BatchRunner): Promise<void> {
    return this.#runners.retire(runner);
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
      if (this.#draining) throw new BackendError('unavailable', 'the version is being unloaded');
      const place = this.#admission.admit(request, rows, lane);
      const settlement = { resolve, reject, hangUp: this.#hangUp };
      const pending = new Pending(this.#arrived, request, rows, place, settlement);
      this.#queue.add(pending);
      this.#answers.enter(pending);
      this.#arrived += 1;
      this.#expiry.watch(pending);
      this.#dispatchSoon(1);
    });
  }

  /** Takes no more requests; resolves when all that were queued or running are answered. */
  async drain(): Promise<void> {
    this.#draining = true;
    this.#dispatchSoon();
    this.#settleDrain();
    await this.#drained.promise;
    clearTimeout(this.#delayTimer);
    this.#expiry.stop();
  }

  /** Fails all that wait, because no instance is left that could answer. */
  failQueued(error: BackendError): void {
    for (const pending of this.#queue.members) this.#giveUp(pending, error);
  }

  /** @param arrived requests that have come since */
  #dispatchSoon(arrived = 0): void {
    if (this.#runners.idle === 0 || this.#queue.length === 0) return;
    this.#gathering.dispatchSoon(this.#gatherer, arrived);
  }

  #hasFullBatch(): boolean {
    for (const lane of this.#queue.lanes) if (lane.rows >= this.#rules.maxRows) return true;
    return false;
  }

  #dispatch(): void {
    clearTimeout(this.#delayTimer);
    this.#delayTimer = undefined;
    const nowMs = performance.now();
    if (this.#expiry.isDue(nowMs)) this.#expiry.check();
    while (this.#runners.idle > 0 && this.#queue.length > 0) {
      const next = this.#nextRelease(nowMs);
      if (next === undefined) break;
      if (!this.#share.acquire()) return;
      const members = this.#queue.take(next.lane, next.rows);
      const rows = members.reduce((sum, member) => sum + member.rows, 0);
      const run = this.#runners.begin(rows, nowMs);
      if (run === undefined) throw new Error('an idle instance is there, and is not');
      this.#onBatch?.(rows, next.reason);
      void this.#run(run, members);
    }
    this.#share.decline();
  }

  /** The lane of those that may go now whose first request comes first; where all have to wait, sets the timer for the first that may. */
  #nextRelease(nowMs: number): NextRelease | undefined {
    let next: NextRelease | undefined;
    let untilMs = Infinity;
    const moment = { nowMs, draining: this.#draining, instances: this.#runners.size };
    for (const lane of this.#queue.lanes) {
      const first = this.#queue.first(lane);
      if (first === undefined) continue;
      const release = releaseOf(lane, this.#queue.inOrder(lane), this.#rules, moment);
      if (release.kind === 'wait') untilMs = Math.min(untilMs, release.untilMs);
      else if (next === undefined || this.#queue.goesBefore(first, next.first))
        next = { ...release, lane, first };
    }
    if (next === undefined && untilMs < Infinity) {
      this.#delayTimer = setTimeout(() => {
        this.#dispatch();
      }, untilMs - nowMs);
    }
    return next;
  }

  async #run(run: Run, members: readonly Pending[]): Promise<void> {
    this.#answers.expect(members, run);
    let usedMs: number | undefined;
    let isGone = false;
    try {
      const result = await run.runner.run(members, run.rows);
      usedMs = result.computeMs;
      this.#answers.answer(members, result, run);
    } catch (error) {
      isGone = error instanceof RunnerGone;
      this.#tryAlone(this.#answers.fail(members, error));
    }
    const nowMs = performance.now();
    if (usedMs !== undefined) this.#rules.cost.observe(run.rows, nowMs - run.startMs, nowMs);
    this.#runners.end(run, isGone);
    this.#share.release(usedMs ?? nowMs - run.startMs);
    this.#dispatchSoon();
    this.#settleDrain();
  }

  /** Which of them the instance died of is not known: each goes alone, so that only that one dies again. */
  #tryAlone(members: readonly Pending[]): void {
    for (const member of members) {
      this.#isolated += 1;
      member.lane = `alone ${this.#isolated}`;
    }
    this.#queue.putBack(members);
  }

  /** Does what the queue policy says with a request that has waited for as long as it may. */
  #outstay(pending: Pending): void {
    if (this.#policies.of(pending.level).timeoutAction === 'REJECT') {
      const retryAfterMs = this.#admission.retryAfterMs();
      this.#giveUp(pending, new BackendError('queue_timeout', 'Request timeout expired', { retryAfterMs }));
      return;
    }
    pending.timeoutAtMs = Infinity;
    this.#queue.delay(pending);
    this.#answers.leave(pending);
    this.#expiry.watch(pending);
  }

  readonly #hangUp = (pending: Pending): void => {
    this.#giveUp(pending, new BackendError('cancelled', 'the caller hung up'));
  };

  #giveUp(pending: Pending, error: BackendError): void {
    this.#queue.remove(pending);
    pending.reject(error);
    this.#answers.leave(pending);
    this.#settleDrain();
  }

  #settleDrain(): void {
    if (this.#draining && this.#queue.length === 0 && this.running === 0) this.#drained.resolve(undefined);
  }
}

/** A lane that may go now, and how. */
type NextRelease = Extract<Release, { kind: 'now' }> & { readonly lane: Lane; readonly first: Pending };
