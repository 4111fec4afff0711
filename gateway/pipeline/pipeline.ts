import { BackendError } from '../../backends/errors.ts';
import { InvalidImage } from '../../backends/image/invalid-image.ts';
import { CODE_OF_FAULT, GatewayError } from '../errors.ts';
import { requireModel, requireOverride } from '../trust/rights.ts';
import type { Limits } from '../limits/limits.ts';
import type { LoadShedder } from '../overload/load-shedder.ts';
import type { Mirrors } from '../mirror/mirrors.ts';
import type { StickyUnits } from '../sticky/sticky-units.ts';
import type { FailedRequest } from '../telemetry/fault-fields.ts';
import { UpstreamFailure } from '../upstream/upstream-failure.ts';
import type { UpstreamRequest } from '../upstream/upstream-server.ts';
import { forwardSideBySide } from '../upstream/side-by-side.ts';
import { UpstreamVersion } from '../upstream/upstream-version.ts';
import type { Answered, Call, Decoded, Face, Forwarding, FurtherRequests, Target } from './call.ts';
import { CallRecord } from './call-record.ts';
import type { RecordOptions } from './call-record.ts';
import { outcomeOf } from './outcome-of.ts';
import type { Prediction } from './prediction-log.ts';
import type { Router } from './route.ts';
import { routedHeaders } from './routed-headers.ts';

export interface PipelineOptions extends RecordOptions {
  readonly router: Router;
  /** Whether a sticky unit had landed elsewhere. */
  readonly sticky: Pick<StickyUnits, 'confirm'>;
  readonly limits: Limits;
  readonly shedder: LoadShedder;
  readonly mirrors: Mirrors;
  /** From a request, with all of its body, to its answer, in milliseconds. */
  readonly inferenceTimeoutMs: number;
  /** Told of errors that are the gateway's own or the model's, not the caller's. */
  readonly onFault: (error: GatewayError, failed: FailedRequest) => void;
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
    const record = new CallRecord(call, this.#options, () => {
      this.#inFlight -= 1;
    });
    try {
      checkRights(call);
      const { router } = this.#options;
      const needsBody = router.needsBody(call);
      const unrouted = needsBody ? await face.decodeUnrouted?.() : undefined;
      const startMs = needsBody ? performance.now() : record.startMs;
      const first = router.route(call, unrouted);
      const confirming = first.choice && this.#options.sticky.confirm(first.choice);
      const isElsewhere = confirming !== undefined && (await confirming);
      if (isElsewhere) first.release();
      const target = isElsewhere ? router.route(call, unrouted) : first;
      const prediction = record.route(target, startMs);
      this.#options.shedder.checkQueue(call.principal.priority, target.version);
      try {
        return await this.#answer({ call, face, record, target, prediction, unrouted, isInstead: false });
      } catch (error) {
        const isLast = !isUnavailable(error) || face.isSpent?.() === true;
        const instead = isLast ? undefined : router.fallbackOf(call, target);
        if (instead === undefined) throw error;
        const failure = toGatewayError(error);
        record.gaveWay(outcomeOf(failure), failure);
        const other = record.route(instead);
        const isInstead = true;
        return await this.#answer({
          call,
          face,
          record,
          target: instead,
          prediction: other,
          unrouted,
          isInstead,
        });
      }
    } catch (error) {
      const known = toGatewayError(error);
      const outcome = outcomeOf(known);
      record.finish(outcome, known);
      const { failed } = record;
      if (outcome === 'error') this.#options.onFault(known, failed);
      // Whoever looks for the cause asks first which variant it was.
      const choice = failed.target?.choice;
      throw choice === undefined ? known : known.saying(routedHeaders(choice));
    }
  }

  async #answer<Read extends Decoded, Encoded>(routed: Routed<Read, Encoded>): Promise<Answered<Encoded>> {
    const { call, face, record, target, prediction, unrouted } = routed;
    const { version } = target;
    const { choice } = target;
    const { mirrors } = this.#options;
    const shadows = choice === undefined ? [] : mirrors.draw(choice);
    const passesOn = version instanceof UpstreamVersion && unrouted === undefined;
    if (passesOn && !this.#mustDecode(routed, version, shadows.length > 0)) {
      const forwarding = await face.forward?.(version);
      if (forwarding !== undefined) {
        if (choice !== undefined) mirrors.missed(choice, shadows);
        const { further } = forwarding;
        await this.#take(routed, 1 + (further?.requests.length ?? 0));
        return further === undefined
          ? this.#forward(routed, version, forwarding)
          : this.#forwardAll(routed, version, forwarding, further);
      }
    }
    const decoded = unrouted ?? decodeFor(routed);
    const read = decoded instanceof Promise ? await decoded : decoded;
    const taking = this.#take(routed, rowsOf(read, version.about));
    if (taking instanceof Promise) await taking;
    record.decoded(read);
    const answer =
      read.answered ??
      (await version.infer({
        inputs: read.inputs,
        outputs: read.outputs,
        priority: read.priority,
        timeoutMs: read.timeoutMs,
        cacheKey: read.cacheKey,
        id: read.id,
        parameters: read.parameters,
        tensorParameters: read.tensorParameters,
        traceContext: version instanceof UpstreamVersion ? record.traceContext : undefined,
        deadlineMs: this.#deadlineOf(call),
        signal: call.signal,
      }));
    record.answered(answer);
    const encoded = face.encode(read, answer, target, prediction.id);
    // Without inputs there is nothing that a shadow could be asked.
    if (
      choice !== undefined &&
      read.answered === undefined &&
      mirrors.offer({ choice, version, request: read, answer, trace: record.traceCopy }, shadows)
    )
      record.leave();
    record.finish('ok');
    const timings = record.timings(answer);
    const { standing } = record;
    return { encoded, target, predictionId: prediction.id, standing, cache: answer.cache, timings };
  }

  /** A model's time begins when the body is there: how long that took is between the caller and timeouts.request. */
  #deadlineOf({ receivedMs, deadlineMs = Infinity }: Call): number {
    return Math.min(receivedMs + this.#options.inferenceTimeoutMs, deadlineMs);
  }

  /** What is to be copied, or counted by its rows, has to be decoded, where that can be. */
  #mustDecode(
    { call, target }: Routed<Decoded, unknown>,
    { protocol }: UpstreamVersion,
    isCopied: boolean,
  ): boolean {
    if (protocol !== 'v2') return false;
    return isCopied || this.#options.limits.countsRows(call.principal, call.model, target.labels.experiment);
  }

  /** Counts a call against the limits, once whoever answers it. */
  #take(
    { call: { principal, model }, record, target, isInstead }: Routed<Decoded, unknown>,
    rows: number,
  ): void | Promise<void> {
    if (isInstead) return;
    const taking = this.#options.limits.take(principal, model, target.labels.experiment, rows);
    if (!(taking instanceof Promise)) {
      record.standing = taking;
      return;
    }
    return taking.then((standing) => {
      record.standing = standing;
    });
  }

  /** The named branch: the variant's own server answers, and nothing is decoded in between. */
  #forward<Encoded>(
    { call, record, target, prediction }: Routed<Decoded, Encoded>,
    version: UpstreamVersion,
    forwarding: Forwarding<Encoded>,
  ): Promise<Answered<Encoded>> {
    record.decoded();
    const request = withTraceContext(forwarding.request, record.traceContext);
    const limits = { deadlineMs: () => this.#deadlineOf(call), signal: call.signal };
    return version.forward(request, limits, (answer) => {
      const times = { queueMs: 0, computeMs: answer.computeMs };
      const encoded = forwarding.encode(answer, target);
      record.answered(times);
      const outcome = answer.status < 400 ? 'ok' : 'client_error';
      const { body } = answer;
      if (body instanceof Uint8Array) record.finish(outcome);
      else {
        // What the caller gets of a stream is known at its end.
        body
          .on('error', () => undefined)
          .once('close', () => {
            const error = body.errored === null ? undefined : toGatewayError(body.errored);
            record.finish(error === undefined ? outcome : outcomeOf(error), error, body.heldUpMs);
          });
      }
      const { standing } = record;
      const timings = record.timings(times);
      return { encoded, target, predictionId: prediction.id, standing, cache: undefined, timings };
    });
  }

  /** The same where the server takes several requests for the call. */
  async #forwardAll<Encoded>(
    { call, record, target, prediction }: Routed<Decoded, Encoded>,
    version: UpstreamVersion,
    forwarding: Forwarding<Encoded>,
    further: FurtherRequests<Encoded>,
  ): Promise<Answered<Encoded>> {
    record.decoded();
    const all = [forwarding.request, ...further.requests].map((each) =>
      withTraceContext(each, record.traceContext),
    );
    const limits = { deadlineMs: () => this.#deadlineOf(call), signal: call.signal };
    let computeMs = 0;
    const encoded = await forwardSideBySide(version, all, limits, (answer) => {
      computeMs = Math.max(computeMs, answer.computeMs);
      return forwarding.encode(answer, target);
    });
    const times = { queueMs: 0, computeMs };
    record.answered(times);
    const joined = further.join(encoded);
    record.finish('ok');
    const { standing } = record;
    const timings = record.timings(times);
    return { encoded: joined, target, predictionId: prediction.id, standing, cache: undefined, timings };
  }
}

/** A call that has a target, and all that answering it takes. */
interface Routed<Read extends Decoded, Encoded> {
  readonly call: Call;
  readonly face: Face<Read, Encoded>;
  readonly record: CallRecord;
  readonly target: Target;
  readonly prediction: Prediction;
  /** What was read of the body before the call was routed. */
  readonly unrouted: Read | undefined;
  /** Whether somebody else was asked before, and couldn't answer. */
  readonly isInstead: boolean;
}

/** Reads the body; where the gateway itself fails at it, whoever was to answer has no part in that. */
function decodeFor<Read extends Decoded, Encoded>({
  face,
  target,
  record,
}: Routed<Read, Encoded>): Read | Promise<Read> {
  const failed = (error: unknown): never => {
    if (!isUnavailable(error) && outcomeOf(toGatewayError(error)) === 'error') record.clear();
    throw error;
  };
  try {
    const decoded = face.decode(target.version);
    return decoded instanceof Promise ? decoded.catch(failed) : decoded;
  } catch (error) {
    return failed(error);
  }
}

/** Whether it says of the variant that it can't answer, rather than of the request. */
function isUnavailable(error: unknown): boolean {
  return error instanceof UpstreamFailure
    ? error.isUnavailable
    : error instanceof BackendError && error.fault === 'unavailable';
}

/** The request, with the trace that the gateway's own span stands in. */
function withTraceContext(
  request: UpstreamRequest,
  { traceparent }: Readonly<Record<string, string>>,
): UpstreamRequest {
  if (traceparent === undefined) return request;
  const headers: string[] = ['traceparent', traceparent];
  for (let at = 0; at < request.headers.length; at += 2) {
    const [name = '', value = ''] = request.headers.slice(at, at + 2);
    if (name.toLowerCase() !== 'traceparent') headers.push(name, value);
  }
  return { ...request, headers };
}

/** The names of what is asked for are looked up after this, so that they are told to nobody who has no right to them. */
function checkRights({ principal, model, header }: Call): void {
  requireModel(principal, model);
  if (header('x-experiment') !== undefined) requireOverride(principal);
}

/** What a request counts for: whether it fits the model is asked later, so nothing is relied on. */
function rowsOf(
  { inputs, answered }: Decoded,
  { maxBatchSize }: Pick<Target['version']['about'], 'maxBatchSize'>,
): number {
  const rows = maxBatchSize === 0 ? 1 : ((inputs[0] ?? answered?.outputs[0])?.shape[0] ?? 1);
  return rows >= 1 ? rows : 1;
}

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
