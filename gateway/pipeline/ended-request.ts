import type { InferAnswer } from '../../backends/inference.ts';
import type { Tensor } from '../../backends/tensor/tensor.ts';
import type { Bearing } from './bearing.ts';
import type { Target } from './call.ts';

/** A request that was routed to somebody, as it ended there; its tensors can still be read. */
export interface EndedRequest {
  readonly target: Target;
  readonly bearing: Bearing;
  /** Undefined where there is none, or it was passed on undecoded. */
  readonly answer: InferAnswer | undefined;
  /** Empty where the body was not decoded. */
  readonly inputs: readonly Tensor[];
  /** Why it failed; undefined where it did not. */
  readonly reason: string | undefined;
  /** From the end of its body to the end of its answer, in milliseconds. */
  readonly totalMs: number;
  /** How long its caller would have waited, in milliseconds; Infinity where it didn't say. */
  readonly patienceMs: number;
}
