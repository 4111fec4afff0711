import { EventEmitter } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http2';
import type { Server, ServerCredentials } from '@grpc/grpc-js';

export type ConnectionInjector = ReturnType<Server['createConnectionInjector']>;

/** The longest time that a timer takes, almost 25 days, as a call's header says it. */
const LONGEST = '2147483S';
const LONGEST_MS = 2_147_483_000;

const TIMEOUT = 'grpc-timeout';

/** The units in which such a time can be given; the smaller ones have too few digits to be as long. */
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000 };

/**
 * What takes connections for gRPC's server. A deadline that is farther off than a timer can count is taken for the farthest that one can: the library
 * counts such a time modulo 2^32, and so ended every other of these calls at once.
 */
export function connectionInjector(server: Server, credentials: ServerCredentials): ConnectionInjector {
  const injector = server.createConnectionInjector(credentials);
  // Before the library's own look at a call's headers.
  http2ServerOf(server).prependListener('stream', (_stream: unknown, headers: IncomingHttpHeaders) => {
    const [, digits, unit = ''] = /^(\d{1,8})([HMS])$/.exec(String(headers[TIMEOUT])) ?? [];
    if (Number(digits) * (UNIT_MS[unit] ?? 0) > LONGEST_MS) headers[TIMEOUT] = LONGEST;
  });
  return injector;
}

const isEmitter = (value: unknown): value is EventEmitter => value instanceof EventEmitter;

/** What the newest injector hands connections to. The library has no public way to it; the test of long deadlines fails if this one goes away. */
function http2ServerOf(server: Server): EventEmitter {
  const servers: unknown = Reflect.get(server, 'http2Servers');
  const newest: unknown = servers instanceof Map ? [...servers.keys()].at(-1) : undefined;
  if (isEmitter(newest)) return newest;
  throw new Error("@grpc/grpc-js doesn't keep its HTTP/2 servers where it did");
}
