import { setMaxListeners } from 'node:events';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Answered, Call } from '../pipeline/call.ts';

/** The model and the version that a path names. */
export interface ModelPath {
  readonly model: string;
  readonly version?: string;
}

/** The head of an HTTP call. */
export function httpCall(request: FastifyRequest, path: ModelPath): Call {
  const { headers } = request.raw;
  return {
    protocol: 'http',
    model: path.model,
    version: path.version,
    header(name) {
      const value = headers[name];
      return value === undefined ? undefined : utf8Of(typeof value === 'string' ? value : value.join(', '));
    },
    // Fastify has parsed them already.
    query: request.query as Readonly<Record<string, unknown>>,
    arrivalMs: request.arrivalMs,
    signal: hangUpSignal(request.raw.socket),
  };
}

/** Node reads headers as Latin-1; what a unit is called is hashed as the UTF-8 that was sent. */
function utf8Of(value: string): string {
  return BEYOND_ASCII.test(value) ? Buffer.from(value, 'latin1').toString('utf8') : value;
}

const BEYOND_ASCII = /[\u0080-\u00ff]/;

const hangUps = new WeakMap<Socket, AbortSignal>();

/** Aborted when the caller's connection closes; made once for a connection, as most carry many calls. */
function hangUpSignal(socket: Socket): AbortSignal {
  const known = hangUps.get(socket);
  if (known !== undefined) return known;
  const controller = new AbortController();
  // Each call under way listens, and there is no limit to those that a caller pipelines.
  setMaxListeners(0, controller.signal);
  socket.once('close', () => {
    controller.abort();
  });
  hangUps.set(socket, controller.signal);
  return controller.signal;
}

/** What every inference answer says in its headers, whichever face gave it. */
export function describeAnswer(
  reply: FastifyReply,
  { target, predictionId, timings }: Answered<unknown>,
): void {
  reply.header('x-prediction-id', predictionId);
  if (target.choice !== undefined) {
    const { experiment, variant, reason } = target.choice;
    reply.header('x-experiment', `${experiment.key}=${variant.name}`);
    reply.header('x-experiment-reason', reason);
  }
  const { routeMs, queueMs, computeMs, totalMs } = timings;
  reply.header(
    'server-timing',
    `route;dur=${routeMs.toFixed(3)}, queue;dur=${queueMs.toFixed(3)}, ` +
      `compute;dur=${computeMs.toFixed(3)}, total;dur=${totalMs.toFixed(3)}`,
  );
}
