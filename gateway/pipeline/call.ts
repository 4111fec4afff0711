import type { Servable } from '../../backends/servable.ts';
import type { InferAnswer, InferRequest } from '../../backends/inference.ts';
import type { Choice } from '../../experiments/decision.ts';
import type { Standing } from '../limits/bucket.ts';
import type { UpstreamProtocol } from '../../experiments/upstream-definition.ts';
import type { UpstreamAnswer } from '../upstream/exchange.ts';
import type { UpstreamRequest } from '../upstream/upstream-server.ts';
import type { UpstreamVersion } from '../upstream/upstream-version.ts';
import type { Principal } from '../trust/principal.ts';
import type { RouteLabels } from '../telemetry/metrics.ts';

/** The head of a call: all that is known of it before a byte of its body is parsed. */
export interface Call {
  readonly protocol: 'http' | 'grpc';
  /** What a variant's own server may speak to answer such a call, with the gateway between them. */
  readonly answerableBy: readonly UpstreamProtocol[];
  /** The model's name as it was sent. */
  readonly model: string;
  /** The version as it was sent; undefined for an unversioned call, which experiments route. */
  readonly version: string | undefined;
  /** The value of a request header, by its lower-case name. */
  readonly header: (name: string) => string | undefined;
  /** Who calls: admitted by its face, for this kind of call. */
  readonly principal: Principal;
  /** The query parameters, a list where one stands several times; left out where the protocol has none. */
  readonly query?: Readonly<Record<string, unknown>>;
  /** When it arrived, in `performance.now()` milliseconds. */
  readonly arrivalMs: number;
  /** When the last of its body was here, in `performance.now()` milliseconds; while it is still coming, that is now. */
  readonly receivedMs: number;
  /** When its caller stops waiting, in `performance.now()` milliseconds; left out: it didn't say. */
  readonly deadlineMs?: number;
  /** Aborted when the caller hangs up. */
  readonly signal: AbortSignal;
}

/** Whom a call was routed to, and why. */
export interface Target {
  readonly version: Servable;
  /** Undefined for a pinned call and for a model without an experiment. */
  readonly choice: Choice | undefined;
  readonly labels: RouteLabels;
  /** Ends the hold on the version; called once by the pipeline. */
  release(): void;
}

/** Where a call's time went, in milliseconds. */
export interface Timings {
  readonly routeMs: number;
  readonly queueMs: number;
  readonly computeMs: number;
  readonly totalMs: number;
}

/** A call's body, read: the tensors, and what else the face wants to remember until it answers. */
export interface Decoded extends Pick<
  InferRequest,
  'inputs' | 'outputs' | 'priority' | 'timeoutMs' | 'cacheKey' | 'id' | 'parameters' | 'tensorParameters'
> {
  /** A kept answer, found before the inputs were there; left out: the version is asked. */
  readonly answered?: InferAnswer;
}

/** A call that a variant's own server answers without its being decoded here. */
export interface Forwarding<Encoded> {
  readonly request: UpstreamRequest;
  /**
   * Writes the answer: one of status 2xx, or one that blames the request.
   *
   * @throws UpstreamFailure where the answer can't be read
   */
  encode(answer: UpstreamAnswer, target: Target): Encoded;
  /** Left out: the request is all of the call. */
  readonly further?: FurtherRequests<Encoded>;
}

/** The rest of a call that its variant's server takes several requests for. */
export interface FurtherRequests<Encoded> {
  readonly requests: readonly UpstreamRequest[];
  /** Makes one answer of all that were written, the first request's before these. */
  join(encoded: readonly Encoded[]): Encoded;
}

/** What a face does for the pipeline: everything of its protocol, and nothing else. */
export interface Face<Read extends Decoded, Encoded> {
  /** Reads the body, now that it is known which version will answer. */
  decode(version: Servable): Read | Promise<Read>;
  /**
   * Reads the body before it is known which version will answer: for experiments that look into it. Left out, or
   * undefined, where a body means something only to a version; such calls have no parameters and no inputs to experiments.
   */
  decodeUnrouted?(): Read | Promise<Read> | undefined;
  /**
   * What a variant's own server is sent, where it speaks the caller's protocol; undefined where the call is decoded for it.
   * Left out: the face decodes all calls.
   */
  forward?(
    version: UpstreamVersion,
  ): Forwarding<Encoded> | undefined | Promise<Forwarding<Encoded> | undefined>;
  /** Whether the body went to a variant's server as it came, so that nobody else can be asked; left out: it never does. */
  isSpent?(): boolean;
  /** Writes the answer; the outputs' memory may not be used after it returns. */
  encode(read: Read, answer: InferAnswer, target: Target, predictionId: string): Encoded;
}

/** An encoded answer, with what every face says beside it. */
export interface Answered<Encoded> {
  readonly encoded: Encoded;
  readonly target: Target;
  /** Opaque and signed: the caller sends it back with an outcome. */
  readonly predictionId: string;
  /** How much of the limits is left; undefined where there are none. */
  readonly standing: Standing | undefined;
  /** Whether a kept answer served; undefined: the model has no cache. */
  readonly cache: InferAnswer['cache'];
  readonly timings: Timings;
}
