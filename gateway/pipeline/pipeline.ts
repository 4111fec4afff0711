import { BackendError } from '../../backends/errors.ts';
import { InvalidImage } from '../../backends/image/invalid-image.ts';
import type { InferAnswer } from '../../backends/inference.ts';
import { CODE_OF_FAULT, GatewayError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { requireModel, requireOverride } from '../trust/rights.ts';
import { UNROUTED } from '../telemetry/metrics.ts';
import type { Metrics, Outcome } from '../telemetry/metrics.ts';
import type { Limits } from '../limits/limits.ts';
import type { Answered, Call, Decoded, Face, Target } from './call.ts';
import type { Mirrors } from '../mirror/mirrors.ts';
import type { Prediction, PredictionLog } from './prediction-log.ts';
import type { Router } from './route.ts';

export interface PipelineOptions {
  readonly router: Router;
  readonly metrics: Metrics;
  readonly limits: Limits;
  readonly predictions: PredictionLog;
  readonly mirrors: Mirrors;
  /** From a request's arrival to its answer, in milliseconds. */
  readonly inferenceTimeoutMs: number;
  /** Told of errors that are the gateway's own or the model's, not the caller's. */
  readonly onFault: (error: GatewayError) => void;
  /** Told how each routed request ended, while its outputs can still be read; with why, where it failed. */
  readonly onEnd: (
    target: Target,
    outcome: Outcome,
    answer: InferAnswer | undefined,
    error: GatewayError | undefined,
  ) => void;
}

/** The one way through the gateway: route, decode, check, infer, encode, record. Every face calls it. */
export class Pipeline {
  readonly #options: PipelineOptions;
  #inFlight = 0;

  constructor(options: PipelineOptions) {
    this.#options = options;
  }

  /** Calls that have not been answered. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** @throws GatewayError; every other error is turned into one */
  async infer<Read extends Decoded, Encoded>(
    call: Call,
    face: Face<Read, Encoded>,
  ): Promise<Answered<Encoded>> {
    this.#inFlight += 1;
    let target: Target | undefined;
    let answer: InferAnswer | undefined;
    let outcome: Outcome = 'ok';
    let prediction: Prediction | undefined;
    let isKept = false;
    let failure: GatewayError | undefined;
    try {
      checkRights(call);
      const { router } = this.#options;
      const unrouted = router.needsBody(call) ? await face.decodeUnrouted?.() : undefined;
      const startMs = performance.now();
      target = router.route(call, unrouted);
      const routedMs = performance.now();
      prediction = this.#options.predictions.begin(target);
      const decoded = unrouted ?? face.decode(target.version);
      const read = decoded instanceof Promise ? await decoded : decoded;
      const { principal, model } = call;
      const taking = this.#options.limits.take(
        principal,
        model,
        target.labels.experiment,
        rowsOf(read, target.version),
      );
      const standing = taking instanceof Promise ? await taking : taking;
      answer = await target.version.infer({
        inputs: read.inputs,
        outputs: read.outputs,
        priority: read.priority,
        timeoutMs: read.timeoutMs,
        deadlineMs: Math.min(call.arrivalMs + this.#options.inferenceTimeoutMs, call.deadlineMs ?? Infinity),
        signal: call.signal,
      });
      const encoded = face.encode(read, answer, target);
      const { choice, version } = target;
      if (choice !== undefined)
        isKept = this.#options.mirrors.offer({ choice, version, request: read, answer });
      return {
        encoded,
        target,
        predictionId: prediction.id,
        standing,
        timings: {
          routeMs: routedMs - startMs,
          queueMs: answer.queueMs,
          computeMs: answer.computeMs,
          totalMs: performance.now() - call.arrivalMs,
        },
      };
    } catch (error) {
      const known = toGatewayError(error);
      failure = known;
      outcome = OUTCOMES[known.code] ?? (known.status < 500 ? 'client_error' : 'error');
      if (outcome === 'error') this.#options.onFault(known);
      throw known;
    } finally {
      this.#inFlight -= 1;
      if (target !== undefined) this.#options.onEnd(target, outcome, answer, failure);
      const totalMs = performance.now() - call.arrivalMs;
      if (target !== undefined && prediction !== undefined)
        this.#options.predictions.end(prediction, target, outcome, totalMs, answer, call.principal.id);
      if (!isKept) answer?.release();
      target?.release();
      this.#options.metrics.recordRequest({
        route: target?.labels ?? UNROUTED,
        reason: target?.choice?.reason ?? '',
        outcome,
        protocol: call.protocol,
        totalMs,
        queueMs: answer?.queueMs,
        computeMs: answer?.computeMs,
      });
    }
  }
}

/** The names of what is asked for are looked up after this, so that they are told to nobody who has no right to them. */
function checkRights({ principal, model, header }: Call): void {
  requireModel(principal, model);
  if (header('x-experiment') !== undefined) requireOverride(principal);
}

/** What a request counts for: whether it fits the model is asked later, so nothing is relied on. */
function rowsOf({ inputs }: Decoded, { maxBatchSize }: Pick<Target['version'], 'maxBatchSize'>): number {
  const rows = maxBatchSize === 0 ? 1 : (inputs[0]?.shape[0] ?? 1);
  return rows >= 1 ? rows : 1;
}

/** The errors that are counted under a name of their own; the rest go by their status. */
const OUTCOMES: Partial<Record<ErrorCode, Outcome>> = {
  timeout: 'timeout',
  cancelled: 'cancelled',
  queue_full: 'shed',
  rate_limited: 'limited',
  quota_exceeded: 'limited',
  forbidden: 'denied',
  // The caller asked for what the gateway never does: no fault of the model or of the variant.
  unsupported: 'client_error',
  queue_timeout: 'timeout',
  deadline_unreachable: 'shed',
};

function toGatewayError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  if (error instanceof BackendError) {
    return new GatewayError(CODE_OF_FAULT[error.fault], error.message, { cause: error });
  }
  if (error instanceof InvalidImage) {
    const code = error.fault === 'too_large' ? 'image_too_large' : 'invalid_image';
    return new GatewayError(code, error.message, { cause: error });
  }
  return new GatewayError('internal', 'internal error; the log of the gateway has the details', {
    cause: error,
  });
}
