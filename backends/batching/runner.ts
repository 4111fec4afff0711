import type { InferRequest } from '../inference.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** A request with what batching needs to know of it. */
export interface BatchMember {
  readonly request: InferRequest;
  /** Rows it takes in a batch, >= 1. */
  readonly rows: number;
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
   * @param members at least one; all can share a batch
   * @throws RunnerGone when the batch may be tried again elsewhere; any other error fails the batch
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
