import { Duplex } from 'node:stream';
import { ServerInterceptingCall } from '@grpc/grpc-js';
import type { ServerInterceptor } from '@grpc/grpc-js';
import type { Gateway } from '../../gateway.ts';
import { outcomeOf } from '../../pipeline/outcome-of.ts';
import { ArrivingMessages } from './arriving-messages.ts';
import { toGatewayError, toStatus } from './status.ts';

type InterceptedCall = Parameters<ServerInterceptor>[1];

type PartialStatusObject = Parameters<InterceptedCall['sendStatus']>[0];

type HoldingGateway = Pick<Gateway, 'door' | 'config' | 'metrics' | 'log'>;

/**
 * Counts the memory of each call's messages before they are received whole, and hangs up on who takes too long to send or to take one. To be
 * given to gRPC's server as the interceptor that is nearest to the connection.
 */
export function holdMessages(gateway: HoldingGateway): ServerInterceptor {
  return ({ requestStream }, call) => {
    const stream = streamOf(call);
    const { bodyMs, requestMs } = gateway.config.timeouts;
    const arriving = new ArrivingMessages({
      stream,
      hold: gateway.door.bodies.hold(),
      isStream: requestStream,
      longestMs: bodyMs,
      refuse: (error) => {
        refuse(call, stream, error, gateway);
      },
    });
    return new HeldCall(call, { stream, arriving, takenWithinMs: requestMs });
  };
}

interface HeldOptions {
  readonly stream: Duplex;
  readonly arriving: ArrivingMessages;
  /** How long a caller may take to take a message. */
  readonly takenWithinMs: number;
}

class HeldCall extends ServerInterceptingCall {
  readonly #options: HeldOptions;
  /** Messages that the caller has not taken. */
  #waiting = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(call: InterceptedCall, options: HeldOptions) {
    super(call, {
      start: (next) => {
        next({
          onReceiveMessage: (message: unknown, pass) => {
            if (options.arriving.passOn(message)) pass(message);
          },
        });
      },
    });
    this.#options = options;
    options.stream.once('close', () => {
      clearTimeout(this.#timer);
    });
  }

  override sendMessage(message: unknown, callback: () => void): void {
    this.#waiting += 1;
    if (this.#waiting === 1) this.#startTimer();
    super.sendMessage(message, () => {
      this.#waiting -= 1;
      clearTimeout(this.#timer);
      if (this.#waiting > 0) this.#startTimer();
      callback();
    });
  }

  /** What a caller named stands in messages cut short, perhaps in the middle of a character: that can't be sent, and gRPC's library would throw. */
  override sendStatus({ details, ...status }: PartialStatusObject): void {
    super.sendStatus({ ...status, details: details.toWellFormed() });
  }

  #startTimer(): void {
    const { stream, takenWithinMs } = this.#options;
    this.#timer = setTimeout(() => stream.destroy(), takenWithinMs);
  }
}

function refuse(
  call: InterceptedCall,
  stream: Duplex,
  error: unknown,
  { metrics, log }: HoldingGateway,
): void {
  const known = toGatewayError(error, log);
  metrics.recordRefusal(outcomeOf(known), 'grpc');
  call.sendStatus(toStatus(known));
  // Whoever goes on sending is not listened to.
  if (stream.writableFinished) stream.destroy();
  else stream.once('finish', () => stream.destroy());
}

/** A call's connection. gRPC's library has no public way to it; the test of the memory for messages fails if this one goes away. */
function streamOf(call: InterceptedCall): Duplex {
  const stream: unknown = Reflect.get(call, 'stream');
  if (stream instanceof Duplex) return stream;
  throw new Error("@grpc/grpc-js doesn't keep a call's stream where it did");
}
