import { BackendError } from '../../backends/errors.ts';
import type { InferAnswer } from '../../backends/inference.ts';
import type { GatewayError } from '../errors.ts';
import type { Standing } from '../limits/bucket.ts';
import { UNROUTED } from '../telemetry/metrics.ts';
import type { Metrics, Outcome } from '../telemetry/metrics.ts';
import type { AccessLog } from '../telemetry/access-log.ts';
import type { FailedRequest } from '../telemetry/fault-fields.ts';
import type { RecordedRequest } from '../telemetry/recorded-request.ts';
import type { MirroredCopy } from '../telemetry/tracing/mirror-span.ts';
import type { TraceIdentity } from '../telemetry/tracing/trace-identity.ts';
import type { Tracing } from '../telemetry/tracing/tracing.ts';
import { bearingOf } from './bearing.ts';
import type { Call, Decoded, Target, Timings } from './call.ts';
import type { EndedRequest } from './ended-request.ts';
import type { Prediction, PredictionLog } from './prediction-log.ts';
import { measuredRun, NO_RUN } from './run-times.ts';
import type { AnswerTimes, RunTimes } from './run-times.ts';

export interface RecordOptions {
  /** Undefined: nothing is traced. */
  readonly tracing: Tracing | undefined;
  /** Undefined: no request has a line. */
  readonly accessLog: AccessLog | undefined;
  readonly metrics: Metrics;
  readonly predictions: PredictionLog;
  /** Told how each request that was routed to somebody ended there, while its tensors can still be read. */
  readonly onEnd: (ended: EndedRequest) => void;
}

/** One call on its way: where it went, what became of it, and what is counted once that is known. */
export class CallRecord {
  readonly #call: Call;
  readonly #options: RecordOptions;
  readonly #onEnd: () => void;
  #target: Target | undefined;
  #prediction: Prediction | undefined;
  #routeMs = 0;
  #times: AnswerTimes | undefined;
  #read: Decoded | undefined;
  #isLeft = false;
  #isTraced = false;
  /** Whether spans or lines are made of the call, which say when each of its steps was. */
  readonly #isTold: boolean;
  /** Undefined where nothing is traced. */
  readonly #identity: TraceIdentity | undefined;
  /** When the call came into the pipeline, in `performance.now()` milliseconds. */
  readonly startMs: number;
  #routedMs = 0;
  #decodedMs = 0;
  #answeredMs = 0;
  /** Undefined while the call is under way. */
  #endMs: number | undefined;
  /** Where the caller stands with its limits, once that was asked. */
  standing: Standing | undefined;

  /** @param onEnd called once, when the call is over */
  constructor(call: Call, options: RecordOptions, onEnd: () => void) {
    this.#call = call;
    this.#options = options;
    this.#onEnd = onEnd;
    this.#isTold = options.tracing !== undefined || options.accessLog !== undefined;
    this.#identity = options.tracing?.identify(call);
    this.startMs = call.receivedMs;
  }

  /** What whoever is asked in the call's name is told of its trace, by header. */
  get traceContext(): Readonly<Record<string, string>> {
    const context: Record<string, string> = {};
    for (const name of ['traceparent', 'tracestate', 'baggage']) {
      const value = this.#call.header(name);
      // It was read as UTF-8; bytes are what is sent.
      if (value !== undefined) context[name] = Buffer.from(value).toString('latin1');
    }
    const identity = this.#identity;
    if (identity === undefined) return context;
    // A request whose variant was forced is recorded whatever its caller or chance said.
    const isRecorded = identity.isSampled || this.#target?.choice?.reason === 'override';
    return { ...context, traceparent: identity.traceparent(isRecorded) };
  }

  /**
   * The call has a target; another one than before takes its place as if there had been no other.
   *
   * @param startMs when it began to be routed, in `performance.now()` milliseconds; left out: it had been routed before
   */
  route(target: Target, startMs?: number): Prediction {
    this.#target?.release();
    this.#target = target;
    this.#routedMs = performance.now();
    if (startMs !== undefined) this.#routeMs = this.#routedMs - startMs;
    this.#prediction = this.#options.predictions.begin(target);
    return this.#prediction;
  }

  /** The call, and whom it was routed to, for whoever is told that it failed. */
  get failed(): FailedRequest {
    return { call: this.#call, target: this.#target, identity: this.#identity };
  }

  /** What went wrong is the gateway's own: it is counted as an error without a route, and told of nobody. */
  clear(): void {
    this.#target?.release();
    this.#target = undefined;
    this.#prediction = undefined;
  }

  /** Its target can't answer, and somebody else is asked in its place: who watches that target is told all the same. */
  gaveWay(outcome: Outcome, error: GatewayError): void {
    const totalMs = Math.max(0, performance.now() - this.#call.receivedMs);
    if (this.#target !== undefined)
      this.#options.onEnd(this.#ended(this.#target, outcome, totalMs, undefined, error));
  }

  /**
   * The body is read, and the version is about to be asked.
   *
   * @param read left out: it is passed on undecoded
   */
  decoded(read?: Decoded): void {
    this.#read = read;
    if (this.#isTold) this.#decodedMs = performance.now();
  }

  /** The answer is there, and is about to be written. */
  answered(times: AnswerTimes): void {
    this.#times = times;
    if (this.#isTold) this.#answeredMs = performance.now();
  }

  /** To be told of copies of the call, which are sent when it is over; undefined where nothing is traced. */
  get traceCopy(): ((copy: MirroredCopy) => void) | undefined {
    const { tracing } = this.#options;
    const identity = this.#identity;
    if (tracing === undefined || identity === undefined) return undefined;
    return (copy) => {
      if (this.#isTraced) tracing.recordMirror(identity, copy);
    };
  }

  /** Somebody else gives the answer's memory back. */
  leave(): void {
    this.#isLeft = true;
  }

  /** What the caller is told: up to the call's end, or to now while its answer is still coming. */
  timings({ queueMs, computeMs }: AnswerTimes): Timings {
    const endMs = this.#endMs ?? performance.now();
    return { routeMs: this.#routeMs, queueMs, computeMs, totalMs: endMs - this.#call.arrivalMs };
  }

  /**
   * Counts the call, and lets go of all that it held; only the first time.
   *
   * @param heldUpMs how long the answer, as it came, waited for its caller
   */
  finish(outcome: Outcome, error?: GatewayError, heldUpMs = 0): void {
    if (this.#endMs !== undefined) return;
    const endMs = performance.now();
    this.#endMs = endMs;
    this.#onEnd();
    const [target, prediction, times] = [this.#target, this.#prediction, this.#times];
    const { receivedMs, principal, protocol } = this.#call;
    const { metrics, predictions, tracing, accessLog, onEnd } = this.#options;
    const answer = times !== undefined && 'outputs' in times ? times : undefined;
    const ran: RunTimes | undefined =
      times ?? (error?.cause instanceof BackendError ? error.cause.run : undefined);
    // A slow uplink says nothing of the variant, nor does a slow downlink.
    const totalMs = Math.max(0, endMs - receivedMs - heldUpMs);
    if (target !== undefined) onEnd(this.#ended(target, outcome, totalMs, answer, error));
    if (this.#isTold) {
      const identity = this.#identity;
      const request: RecordedRequest = {
        call: this.#call,
        outcome,
        error,
        target,
        predictionId: prediction?.id,
        times: ran,
        startMs: this.startMs,
        routedMs: this.#routedMs,
        decodedMs: this.#decodedMs,
        answeredMs:
          times === undefined && ran !== undefined
            ? this.#decodedMs + ran.queueMs + ran.computeMs
            : this.#answeredMs,
        endMs,
      };
      this.#isTraced = identity !== undefined && tracing?.record(identity, request) === true;
      accessLog?.record(request, identity);
    }
    const run = target === undefined ? NO_RUN : measuredRun(target, ran);
    if (target !== undefined && prediction !== undefined)
      predictions.end(
        prediction,
        target,
        { outcome, bearing: bearingOf(outcome, error) },
        totalMs,
        times,
        times === undefined ? NO_RUN : run,
        principal.id,
      );
    if (!this.#isLeft) answer?.release();
    target?.release();
    metrics.recordRequest({
      route: target?.labels ?? UNROUTED,
      reason: target?.choice?.reason ?? '',
      outcome,
      protocol,
      totalMs,
      routeMs: this.#routeMs,
      queueMs: run.queueMs,
      computeMs: run.computeMs,
      traceId: this.#isTraced ? this.#identity?.traceId : undefined,
    });
  }

  #ended(
    target: Target,
    outcome: Outcome,
    totalMs: number,
    answer: InferAnswer | undefined,
    error: GatewayError | undefined,
  ): EndedRequest {
    const { receivedMs, deadlineMs = Infinity } = this.#call;
    const { inputs = [], timeoutMs = Infinity } = this.#read ?? {};
    return {
      target,
      bearing: bearingOf(outcome, error),
      answer,
      inputs,
      reason: error?.message,
      totalMs,
      patienceMs: Math.min(deadlineMs - receivedMs, timeoutMs),
    };
  }
}
