import type { IncomingHttpHeaders } from 'node:http';

/**
 * Which headers pass between a caller and a variant's server.
 *
 * Source of what belongs to one connection: RFC 9110, section 7.6.1.
 */

/** Belongs to one connection, or is written anew by whoever sends the message. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What is the gateway's own in a request: what it was told, and what it says of the caller. */
const OWN_IN_REQUEST: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  'content-length',
  // A session of the caller's with the gateway's host is no business of a variant's.
  'cookie',
  'forwarded',
  'via',
  'x-experiment',
  'x-experiment-reason',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-prediction-id',
]);

/** Keys and tokens, where the gateway asks for them. */
const CREDENTIALS: ReadonlySet<string> = new Set(['authorization', 'x-api-key']);

/** What is the gateway's own in an answer. */
const OWN_IN_ANSWER: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  'alt-svc',
  'ratelimit-limit',
  'ratelimit-remaining',
  'ratelimit-reset',
  'server-timing',
  'set-cookie',
  'x-cache',
  'x-experiment',
  'x-experiment-reason',
  'x-prediction-id',
]);

/** What a variant's server is told of a caller. */
export interface ForwardedCaller {
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  readonly address: string;
  readonly isEncrypted: boolean;
}

export interface ForwardingPolicy {
  /** Whether keys or tokens are asked for: then they stay here. */
  readonly keepsCredentials: boolean;
  /** By lower-case name, in place of the caller's. */
  readonly added: Readonly<Record<string, string>>;
  /** Headers of the body that no longer hold, as its coding, by lower-case name. */
  readonly without?: ReadonlySet<string>;
}

/**
 * A caller's headers as a variant's server gets them, names and values in turn; those of the body's length are written by
 * whoever sends it.
 */
export function forwardedHeaders(
  { rawHeaders, address, isEncrypted }: ForwardedCaller,
  { keepsCredentials, added, without }: ForwardingPolicy,
): string[] {
  const headers: string[] = [];
  let dropped: readonly string[] = NONE;
  let host = '';
  let before = '';
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    if (name.length === CONNECTION.length && name.toLowerCase() === CONNECTION)
      dropped = namesIn(rawHeaders[at + 1]);
  }
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase();
    const value = rawHeaders[at + 1] ?? '';
    if (name === 'host' || name === ':authority') host = value;
    else if (name === 'x-forwarded-for') before += `${value}, `;
    // What HTTP/2 has in the place of the request line.
    if (name.startsWith(':')) continue;
    if (OWN_IN_REQUEST.has(name) || (keepsCredentials && CREDENTIALS.has(name))) continue;
    if (Object.hasOwn(added, name) || without?.has(name) === true || dropped.includes(name)) continue;
    headers.push(name, value);
  }
  headers.push('x-forwarded-for', before + address, 'x-forwarded-proto', isEncrypted ? 'https' : 'http');
  if (host !== '') headers.push('x-forwarded-host', host);
  headers.push('via', '1.1 signalbox');
  for (const [name, value] of Object.entries(added)) headers.push(name, value);
  return headers;
}

const NONE: readonly string[] = [];
const CONNECTION = 'connection';

/** Tells each header of a server's answer that passes on to the caller. */
export function passAnswerHeaders(
  headers: IncomingHttpHeaders,
  pass: (name: string, value: string | readonly string[]) => void,
): void {
  const dropped = headers.connection === undefined ? NONE : namesIn(headers.connection);
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined || OWN_IN_ANSWER.has(name) || dropped.includes(name)) continue;
    pass(name, value);
  }
}

/** The header names that `Connection` lists: they go no further. */
function namesIn(value: string | undefined): readonly string[] {
  if (value === undefined || value === 'keep-alive' || value === 'close') return NONE;
  return value.split(',').map((name) => name.trim().toLowerCase());
}
