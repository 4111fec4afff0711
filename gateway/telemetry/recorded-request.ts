import type { ErrorCode } from '../errors.ts';
import type { Call, Target } from '../pipeline/call.ts';
import type { RunTimes } from '../pipeline/run-times.ts';
import type { Outcome } from './metrics.ts';

/** A request that is over, as spans and log lines are made from it. Times are in `performance.now()` milliseconds; 0: it didn't get that far. */
export interface RecordedRequest {
  readonly call: Call;
  readonly outcome: Outcome;
  /** What it was refused with; undefined where it was answered. */
  readonly error: { readonly code: ErrorCode; readonly message: string } | undefined;
  /** Undefined where it was refused before it was routed. */
  readonly target: Target | undefined;
  readonly predictionId: string | undefined;
  /** Undefined where it wasn't run. */
  readonly times: RunTimes | undefined;
  /** When its way through the pipeline began: it was admitted, and its body received. */
  readonly startMs: number;
  /** When each stage was over. */
  readonly routedMs: number;
  readonly decodedMs: number;
  readonly answeredMs: number;
  readonly endMs: number;
}
