import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { UpstreamAnswer } from '../upstream/exchange.ts';
import { forwardedHeaders, passAnswerHeaders } from '../upstream/header-policy.ts';
import { StreamedBody } from '../upstream/streamed-body.ts';
import type { UpstreamRequest } from '../upstream/upstream-server.ts';
import type { UpstreamVersion } from '../upstream/upstream-version.ts';
import type { BodyHold } from '../overload/body-budget.ts';
import type { Answered } from '../pipeline/call.ts';
import { describeAnswer } from './answer-headers.ts';
import { REQUEST_ID } from './edge/request-id.ts';
import { receiveBody, stopReading } from './body.ts';
import { bodyFailure, inflated } from './content-coding.ts';

/** Headers that say how the body was coded on the way here; it is passed on as it was before. */
const CODED: ReadonlySet<string> = new Set(['content-encoding']);

/** The body of a call: received already, or left on its connection to be passed on as it comes. */
export class CallBody {
  readonly #received: Uint8Array | IncomingMessage | undefined;
  readonly #limitBytes: number;
  readonly #hold: BodyHold | null;
  #streamed: StreamedBody | undefined;
  #bytes: Promise<Uint8Array> | undefined;

  /** @param hold counts what is received later of a body that was left on its connection */
  constructor(received: Uint8Array | IncomingMessage | undefined, limitBytes: number, hold: BodyHold | null) {
    this.#received = received;
    this.#limitBytes = limitBytes;
    this.#hold = hold;
  }

  /** Whether a part of it went to a server, so that nobody else can be given it. */
  get isSpent(): boolean {
    return this.#streamed?.isTouched === true;
  }

  /** Its bytes, where they were received before anybody asked for them. */
  get held(): Uint8Array | undefined {
    return this.#received instanceof Uint8Array ? this.#received : undefined;
  }

  /** All of it. */
  bytes(): Uint8Array | undefined | Promise<Uint8Array> {
    const received = this.#received;
    if (received === undefined || received instanceof Uint8Array) return received;
    this.#bytes ??= receiveBody(received, this.#limitBytes, this.#hold, this.#streamed?.stream);
    return this.#bytes;
  }

  /** What a variant's server is sent. */
  forwarded(): UpstreamRequest['body'] {
    const received = this.#received;
    if (received === undefined || received instanceof Uint8Array) return received;
    this.#streamed ??= streamedBody(received, this.#limitBytes);
    return this.#streamed;
  }

  /** How long it is where that is known of a body that is passed on as it comes. */
  get announcedBytes(): string | undefined {
    const received = this.#received;
    if (received === undefined || received instanceof Uint8Array) return undefined;
    return received.headers['content-encoding'] === undefined
      ? received.headers['content-length']
      : undefined;
  }
}

function streamedBody(received: IncomingMessage, limitBytes: number): StreamedBody {
  const stream = inflated(received);
  const discard = (): void => {
    stopReading(received, stream);
  };
  return new StreamedBody({ stream, failure: bodyFailure, discard }, limitBytes);
}

/**
 * A call as a variant's server gets it: with the caller's headers, except for what is the connection's or the gateway's own.
 *
 * @param path under the upstream's URL; the caller's query is kept
 */
export function forwardedRequest(
  request: FastifyRequest,
  body: CallBody,
  { definition, keepsCredentials }: UpstreamVersion,
  path: string,
): UpstreamRequest {
  const { rawHeaders, socket, url = '' } = request.raw;
  const query = url.indexOf('?');
  const headers = forwardedHeaders(
    { rawHeaders, address: socket.remoteAddress ?? 'unknown', isEncrypted: 'encrypted' in socket },
    { keepsCredentials, added: definition.headers, without: CODED },
  );
  const { announcedBytes } = body;
  if (announcedBytes !== undefined) headers.push('content-length', announcedBytes);
  return {
    method: 'POST',
    path: query < 0 ? path : path + url.slice(query),
    headers,
    body: body.forwarded(),
  };
}

/** Answers as a variant's server answered; what the gateway itself says stands in the headers beside the server's. */
export function passAnswer(reply: FastifyReply, answer: UpstreamAnswer, answered: Answered<unknown>): void {
  reply.code(answer.status);
  passAnswerHeaders(answer.headers, (name, value) => {
    // What the caller calls its request holds, whatever the server calls it.
    if (name !== REQUEST_ID || !reply.hasHeader(REQUEST_ID)) reply.header(name, value);
  });
  describeAnswer(reply, answered);
  passBody(reply, answer);
}

/** Sends the body of an answer whose headers the reply has; one that breaks off breaks off the caller's connection too. */
function passBody(reply: FastifyReply, { body }: UpstreamAnswer): void {
  if (body instanceof Uint8Array) {
    void reply.send(body);
    return;
  }
  // The framework would answer what breaks off early with an error under the headers of the answer.
  reply.hijack();
  const { raw } = reply;
  raw.statusCode = reply.statusCode;
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) raw.setHeader(name, value);
  }
  pipeline(body, raw, () => undefined);
}
