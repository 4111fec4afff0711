import type { IncomingMessage } from 'node:http';
import { Http2ServerRequest } from 'node:http2';
import { AUTHORITY, headerOf } from '../http-call.ts';

/** A name or an address, and a port. */
const HOST = /^(?:[A-Za-z0-9._~%-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?$/;

/** What was found to be one last: most callers say the same, and to compare it takes less than to read it again. */
let knownHost = '';

function isHost(name: string): boolean {
  if (name === knownHost) return true;
  if (!HOST.test(name)) return false;
  knownHost = name;
  return true;
}

const ABSOLUTE = /^https?:\/\/([^/?#]*)/i;

/** Whether a request came over HTTP/2, whatever it says of itself: a request line may name any version. */
export function isHttp2(message: object): boolean {
  return message instanceof Http2ServerRequest;
}

/**
 * Why a request could end somewhere else for another server, or be meant for another one: what Node's parser takes and a server behind a proxy
 * should not (request smuggling). What it refuses by itself stands in `docs/security.md`.
 *
 * Source: RFC 9112, sections 3.2, 6.1 and 11.2.
 */
export function whyMisframed(message: IncomingMessage): string | undefined {
  const { httpVersion, url = '', headers } = message;
  const { host, 'transfer-encoding': coding } = headers;
  if (coding !== undefined) {
    if (httpVersion === '1.0') return 'HTTP/1.0 has no Transfer-Encoding; send Content-Length';
    if (coding.toLowerCase() !== 'chunked')
      return `Transfer-Encoding is '${coding.slice(0, 64)}'; only chunked is taken, and Content-Encoding for what is compressed`;
  }
  if (httpVersion !== '1.1' && httpVersion !== '1.0' && !isHttp2(message))
    return `HTTP/${httpVersion} is not spoken here; send HTTP/1.1`;
  const named = headerOf(headers, 'host');
  const authority = headers[AUTHORITY];
  if (authority !== undefined && host !== undefined && authority !== host)
    return `Host is '${host.slice(0, 64)}', and the authority another one; send one of them`;
  if (named === undefined && httpVersion !== '1.0') return 'Host is missing; every request names it';
  if (named !== undefined && named !== '' && !isHost(named))
    return `Host is '${named.slice(0, 64)}', which is no name or address with a port`;
  // The usual target begins with a slash; `*` is what OPTIONS asks of the whole server.
  if (url.includes('#'))
    return 'the target has a #; what follows it in an address is never sent, and # itself is %23';
  if (url.startsWith('/') || url === '*') return undefined;
  const target = ABSOLUTE.exec(url)?.[1];
  if (target === undefined)
    return `the target '${url.slice(0, 64)}' is no path; expected one that begins with /`;
  return target.toLowerCase() === host?.toLowerCase()
    ? undefined
    : `the target names '${target.slice(0, 64)}', and Host '${host?.slice(0, 64) ?? ''}'`;
}
