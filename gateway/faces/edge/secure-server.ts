import { createServer } from 'node:https';
import type { RequestListener, Server } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Config } from '../../config/config.ts';
import type { TlsCredentials } from '../../tls.ts';
import { Http2Sessions } from './http2-sessions.ts';

/** Between two looks for connections whose time is up. */
export const CHECK_CONNECTIONS_EVERY_MS = 1000;

/**
 * What the framework would make, over TLS.
 *
 * @param speaksHttp2 whether callers may choose HTTP/2 in the handshake (ALPN)
 */
export function secureServer(
  handler: RequestListener,
  { cert, key, ca }: TlsCredentials,
  timeouts: Config['timeouts'],
  speaksHttp2: boolean,
): Server {
  const server = createServer(
    {
      cert,
      key,
      ...(ca !== undefined && { ca, requestCert: true, rejectUnauthorized: true }),
      ALPNProtocols: speaksHttp2 ? ['h2', 'http/1.1'] : ['http/1.1'],
      headersTimeout: timeouts.headersMs,
      requestTimeout: receiveWithinMs(timeouts),
      keepAliveTimeout: timeouts.keepAliveMs,
      handshakeTimeout: timeouts.headersMs,
      connectionsCheckingInterval: CHECK_CONNECTIONS_EVERY_MS,
      // Its absence is answered as every other error.
      requireHostHeader: false,
    },
    handler,
  );
  server.setTimeout(idleMs(timeouts));
  if (speaksHttp2) addHttp2(server, handler, timeouts);
  return server;
}

/** A whole request: its headers, and then its body. */
export function receiveWithinMs({ headersMs, bodyMs, requestMs }: Config['timeouts']): number {
  return Math.min(requestMs, headersMs + bodyMs);
}

/** Longer than anything else may take on which a connection is silent: then nobody is there. */
export function idleMs({ requestMs, inferenceMs, keepAliveMs }: Config['timeouts']): number {
  return Math.max(requestMs, inferenceMs, keepAliveMs) + 5000;
}

function addHttp2(server: Server, handler: RequestListener, timeouts: Config['timeouts']): void {
  const sessions = new Http2Sessions(handler, timeouts);
  const serveHttp1 = server.listeners('secureConnection');
  server.removeAllListeners('secureConnection');
  server.on('secureConnection', (socket: TLSSocket) => {
    if (socket.alpnProtocol === 'h2') sessions.take(socket);
    else for (const serve of serveHttp1) Reflect.apply(serve, server, [socket]);
  });
  const closeIdle = server.closeIdleConnections.bind(server);
  const closeAll = server.closeAllConnections.bind(server);
  // Whoever closes the server's connections means these too.
  server.closeIdleConnections = () => {
    closeIdle();
    sessions.close();
  };
  server.closeAllConnections = () => {
    closeAll();
    sessions.destroy();
  };
}
