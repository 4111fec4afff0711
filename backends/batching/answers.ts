import { BackendError } from '../errors.ts';
import { newBatchId } from './batch-id.ts';
import type { AnswerOrder } from './answer-order.ts';
import { PendingList } from './pending-list.ts';
import type { Pending } from './pending.ts';
import type { BatchResult } from './runner.ts';
import { RunnerGone } from './runner.ts';
import type { Run } from './runner-pool.ts';

/** Times a request is sent to a model again because the instance died under it. */
const MAX_ATTEMPTS = 2;

/** Hands the members of a batch what came of it, each its own, once and in its turn. */
export class Answers {
  /** Undefined: answers leave as they come. */
  readonly #order: AnswerOrder | undefined;
  readonly #unanswered = new PendingList();

  constructor(order: AnswerOrder | undefined) {
    this.#order = order;
  }

  /** The requests in a batch that runs now, or whose answer waits for those that came before. */
  get unanswered(): PendingList {
    return this.#unanswered;
  }

  /** Notes a request as it comes. */
  enter(pending: Pending): void {
    this.#order?.enter(pending);
  }

  /** Notes the members of a batch as it starts. */
  expect(members: readonly Pending[], { startMs, rows }: Run): void {
    const run = { batchId: newBatchId(), startMs, rows };
    for (const member of members) {
      member.run = run;
      this.#unanswered.push(member);
    }
  }

  /** Nobody waits for this request's answer any more: it was given up, or has lost its place. */
  leave(pending: Pending): void {
    this.#order?.leave(pending);
  }

  /** Hands each member its own rows. */
  answer(members: readonly Pending[], result: BatchResult, run: Run): void {
    const order = this.#order;
    members.forEach((member, index) => {
      if (order === undefined) this.#deliver(member, result, index, run);
      else
        order.deliver(member, () => {
          this.#deliver(member, result, index, run);
        });
    });
  }

  /** Tells each member that the batch failed; returns those that may be tried again elsewhere. */
  fail(members: readonly Pending[], error: unknown): readonly Pending[] {
    const again: Pending[] = [];
    const known = asBackendError(error);
    for (const member of members) {
      member.attempts += 1;
      if (error instanceof RunnerGone && member.attempts < MAX_ATTEMPTS && !member.isSettled) {
        this.#unanswered.remove(member);
        member.run = undefined;
        // It has left the queue in time once; that its instance died is not its fault.
        member.timeoutAtMs = Infinity;
        again.push(member);
        continue;
      }
      const reject = (): void => {
        this.#unanswered.remove(member);
        member.reject(known);
      };
      if (this.#order === undefined) reject();
      else this.#order.deliver(member, reject);
    }
    return again;
  }

  #deliver(member: Pending, result: BatchResult, index: number, run: Run): void {
    this.#unanswered.remove(member);
    if (member.isSettled) {
      result.release();
      return;
    }
    let isLent = true;
    member.resolve({
      outputs: result.outputsOf(index),
      queueMs: run.startMs - member.arrivalMs,
      computeMs: result.computeMs,
      batchRows: run.rows,
      batchId: member.run?.batchId ?? newBatchId(),
      release: () => {
        if (isLent) result.release();
        isLent = false;
      },
    });
  }
}

function asBackendError(error: unknown): BackendError {
  if (error instanceof BackendError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new BackendError('run_failed', message, { cause: error });
}
