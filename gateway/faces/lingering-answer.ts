import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isHttp2 } from './edge/framing.ts';

/** Who sends on for longer has had time to read what was said. */
const LINGER_MS = 5000;

/**
 * Answers a call whose body is not wanted, and hangs up: but not at once. Most clients read nothing before they have sent all, and a connection that is
 * closed with bytes unread is reset, so that they would never see the answer. Meanwhile what comes is thrown away.
 *
 * @param body of JSON
 */
export function answerAndHangUp({ raw }: FastifyRequest, reply: FastifyReply, body: object): void {
  if (isHttp2(raw) || raw.complete) {
    void reply.header('connection', 'close').send(body);
    return;
  }
  const bytes = Buffer.from(JSON.stringify(body));
  void reply
    .headers({
      connection: 'close',
      'content-type': 'application/json; charset=utf-8',
      'content-length': bytes.length,
    })
    .send(endingWith(raw, bytes));
}

/** The bytes at once, and their end when the request has ended, or its time is over. */
function endingWith(request: IncomingMessage, bytes: Buffer): Readable {
  const answer = new Readable({ read: () => undefined });
  answer.push(bytes);
  const end = (): void => {
    clearTimeout(timer);
    request.off('end', end).off('close', end);
    if (!answer.destroyed && !answer.readableEnded) answer.push(null);
  };
  const timer = setTimeout(end, LINGER_MS).unref();
  request.once('end', end).once('close', end).resume();
  return answer;
}
