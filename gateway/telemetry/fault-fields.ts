import type { ErrorCode, GatewayError } from '../errors.ts';

/** What the log says of a failed request beside the error's message. */
export interface FaultFields {
  readonly code: ErrorCode;
  /** The cause, where it says more than the message; else where the fault came up, if that is known. */
  readonly err?: unknown;
}

/** An error is often handed on under the same words: they stand in a line once, as its message. */
export function faultFields(error: GatewayError): FaultFields {
  const { code, message } = error;
  let told: Error = error;
  let origin = originOf(error);
  while (told.cause !== undefined) {
    const { cause } = told;
    if (!(cause instanceof Error) || cause.message === '' || !message.includes(cause.message))
      return { code, err: cause };
    told = cause;
    origin = originOf(cause) ?? origin;
  }
  return origin === undefined ? { code } : { code, err: origin };
}

/** Its kind and the frames of its stack, whose first lines say its message again; undefined where it has none. */
function originOf({
  name,
  stack = '',
}: Error): { readonly type: string; readonly stack: string } | undefined {
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  return frames.length === 0 ? undefined : { type: name, stack: frames.join('\n') };
}
