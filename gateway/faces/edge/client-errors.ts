import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';

/** What Node's parser says of a request that it can't read, or that didn't come in time. */
const MEANINGS: Readonly<Partial<Record<string, readonly [status: number, message: string]>>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'the request did not come whole in time'],
  HPE_HEADER_OVERFLOW: [431, 'the headers are larger than 16 KiB'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'the chunk extensions of the body are too large'],
};

const refused = new WeakSet<Socket>();

/** After a request that was refused for where it ends: what its parser makes of the rest is no request to answer. */
export function sayNoMore(socket: Socket): void {
  refused.add(socket);
}

/** Answers what never became a request, in the form of every other error, and hangs up. */
export function answerClientError(error: Error & { readonly code?: string }, socket: Socket): void {
  const { code = '' } = error;
  // Connections that break off, and handshakes that fail or never begin: there is nobody to answer.
  if (!code.startsWith('HPE_') && code !== 'ERR_HTTP_REQUEST_TIMEOUT') {
    socket.destroy();
    return;
  }
  if (!socket.writable || refused.has(socket)) {
    // What was written before still goes out.
    socket.destroySoon();
    return;
  }
  const [status, message] = MEANINGS[code] ?? [
    400,
    `the request is not HTTP/1.1 as RFC 9112 has it: ${error.message}`,
  ];
  const body = JSON.stringify({ error: message });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n` +
      'content-type: application/json; charset=utf-8\r\nx-content-type-options: nosniff\r\n' +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
  // Whoever keeps its side open is not waited for.
  socket.destroySoon();
}
