import { BackendError } from '../errors.ts';
import type { InferRequest } from '../inference.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** A request with what batching needs to know of it. */
export interface BatchMember {
  readonly request: InferRequest;
  /** Rows it takes in a batch, >= 1. */
  readonly rows: number;
  /** Whether it has been answered or given up in the meantime: what it is run for is then of no more use. */
  readonly isSettled: boolean;
  /** Fails it alone, whatever becomes of its batch. */
  reject(error: BackendError): void;
}

/** What a batch gave. */
export interface BatchResult {
  readonly computeMs: number;
  /** The outputs of the member at `index` and of no other. */
  outputsOf(index: number): readonly Tensor[];
  /** To be called once for each member, when its outputs are of no more use: their memory is lent. */
  release(): void;
}

/** Runs one batch at a time: an instance of a version, as the batcher sees it. */
export interface BatchRunner {
  /**
   * @param members at least one; all can share a batch. Those that fail alone are rejected by the runner itself
   * @throws RunnerGone when those members that are not settled may be tried again elsewhere; any other error fails them
   */
  run(members: readonly BatchMember[], rows: number): Promise<BatchResult>;
}

/** The runner can take no more work, and its batch was not answered. */
export class RunnerGone extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause });
    this.name = 'RunnerGone';
  }
}

/** The model threw while it ran. The inputs of one member may be to blame, so that the others are worth another try. */
export class RunThrew extends BackendError {
  constructor(reason: string, options?: ErrorOptions) {
    super('run_failed', `the model failed: ${reason}`, options);
    this.name = 'RunThrew';
  }
}

/** The batch was not run, because of members that were running when the process crashed. */
export class MembersKeptBack extends Error {
  /** Positions of those that are not to be run at all. */
  readonly refused: readonly number[];
  /** Positions of those that are to be run by themselves. */
  readonly suspected: readonly number[];

  constructor(refused: readonly number[], suspected: readonly number[]) {
    super('the batch has members that were running when the process crashed');
    this.name = 'MembersKeptBack';
    this.refused = refused;
    this.suspected = suspected;
  }
}
