import type { ErrorCode, GatewayError } from '../errors.ts';
import type { Call, Target } from '../pipeline/call.ts';
import type { TraceIdentity } from './tracing/trace-identity.ts';

/** A request that failed, as far as it got. */
export interface FailedRequest {
  readonly call: Pick<Call, 'model' | 'header'>;
  /** Undefined where it was not routed, or where the failure says nothing of whom it was routed to. */
  readonly target: Pick<Target, 'labels' | 'choice'> | undefined;
  /** Undefined where nothing is traced. */
  readonly identity: Pick<TraceIdentity, 'traceId'> | undefined;
}

/** What the log says of a failed request beside the error's message, under the access log's names. */
export interface FaultFields extends Cause {
  readonly code: ErrorCode;
  readonly model: string;
  readonly version: string | undefined;
  readonly experiment: string | undefined;
  readonly variant: string | undefined;
  readonly request_id: string | undefined;
  readonly trace_id: string | undefined;
}

interface Cause {
  /** The cause, where it says more than the message; else where the fault came up, if that is known. */
  readonly err?: unknown;
}

export function faultFields(error: GatewayError, { call, target, identity }: FailedRequest): FaultFields {
  return {
    code: error.code,
    model: target?.labels.model ?? call.model,
    version: target?.labels.version,
    experiment: target?.choice?.experiment.key,
    variant: target?.choice?.variant.name,
    request_id: call.header('x-request-id'),
    trace_id: identity?.traceId,
    ...causeOf(error),
  };
}

/** An error is often handed on under the same words: they stand in a line once, as its message. */
function causeOf(error: GatewayError): Cause {
  const { message } = error;
  let told: Error = error;
  let origin = originOf(error);
  while (told.cause !== undefined) {
    const { cause } = told;
    if (!(cause instanceof Error) || cause.message === '' || !message.includes(cause.message))
      return { err: cause };
    told = cause;
    origin = originOf(cause) ?? origin;
  }
  return origin === undefined ? {} : { err: origin };
}

/** Its kind and the frames of its stack, whose first lines say its message again; undefined where it has none. */
function originOf({
  name,
  stack = '',
}: Error): { readonly type: string; readonly stack: string } | undefined {
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  return frames.length === 0 ? undefined : { type: name, stack: frames.join('\n') };
}
