import { constants, createServer } from 'node:http2';
import type {
  Http2Server,
  Http2ServerRequest,
  Http2ServerResponse,
  ServerHttp2Session,
  ServerHttp2Stream,
} from 'node:http2';
import type { RequestListener } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Config } from '../../config/config.ts';
import { takeExpectations } from './expectation.ts';

/** Calls that one connection may have under way at once. */
const MOST_CALLS = 256;

/** Bytes that a call, and a connection, may have on their way: with HTTP/2's own 64 KiB a large tensor waits for an answer every few packets. */
const CALL_WINDOW_BYTES = 1024 ** 2;
const CONNECTION_WINDOW_BYTES = 4 * 1024 ** 2;

/** As much as over HTTP/1.1. */
const MOST_HEADER_BYTES = 16 * 1024;

/** Frames that break the protocol before a connection is closed. */
const MOST_INVALID_FRAMES = 100;

const ANY_BYTES = 'application/octet-stream';

/** The HTTP/2 connections of a server for HTTP/1.1: they are handed over when the TLS handshake has chosen it. */
export class Http2Sessions {
  readonly #server: Http2Server;
  readonly #sessions = new Set<ServerHttp2Session>();

  constructor(handler: RequestListener, { keepAliveMs, bodyMs }: Config['timeouts']) {
    this.#server = createServer({
      settings: {
        maxConcurrentStreams: MOST_CALLS,
        initialWindowSize: CALL_WINDOW_BYTES,
        maxHeaderListSize: MOST_HEADER_BYTES,
      },
      maxSessionInvalidFrames: MOST_INVALID_FRAMES,
    });
    this.#server.on('session', (session) => {
      this.#sessions.add(session);
      session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
      session.setTimeout(keepAliveMs, () => {
        session.destroy();
      });
      session.once('close', () => this.#sessions.delete(session));
    });
    this.#server.on('stream', (stream, _headers, flags) => {
      if ((flags & constants.NGHTTP2_FLAG_END_STREAM) === 0) limitBody(stream, bodyMs);
    });
    takeExpectations(this.#server);
    // What a peer does wrong is answered by its frames; there is nothing else to do about it.
    this.#server.on('sessionError', () => undefined);
    this.#server.on('request', (request: Http2ServerRequest, response: Http2ServerResponse) => {
      // Without a type and a length the framework takes it that there is no body; over HTTP/2 neither is needed.
      if (!request.stream.endAfterHeaders && request.headers['content-type'] === undefined) {
        request.headers['content-type'] = ANY_BYTES;
        request.rawHeaders.push('content-type', ANY_BYTES);
      }
      request.once('aborted', () => {
        // A body that breaks off would otherwise seem to end.
        request.destroy(new Error('the caller hung up'));
        // What has come of it would be held until its time is over: a stream is closed once it was read to its end, which now nobody does. One
        // that was cut off here closes by itself: its caller may still be sending, which would break the protocol of a stream that is gone.
        if (!cutOff.has(request.stream)) request.stream.destroy();
      });
      // The compatibility API of HTTP/2 has what the framework uses of a request and an answer; their types don't say so.
      Reflect.apply(handler, undefined, [request, response]);
    });
  }

  take(socket: TLSSocket): void {
    this.#server.emit('connection', socket);
  }

  /** Takes no more calls; each connection ends when its calls are answered. */
  close(): void {
    for (const session of this.#sessions) session.close();
  }

  /** Hangs up on everybody. */
  destroy(): void {
    for (const session of this.#sessions) session.destroy();
  }
}

/** Streams whose body's time was over. */
const cutOff = new WeakSet<ServerHttp2Stream>();

/** Each stream has its own time for its body, as a request has it over HTTP/1.1. */
function limitBody(stream: ServerHttp2Stream, bodyMs: number): void {
  const timer = setTimeout(() => {
    cutOff.add(stream);
    stream.close(constants.NGHTTP2_CANCEL);
  }, bodyMs);
  const clear = (): void => {
    clearTimeout(timer);
  };
  stream.once('end', clear);
  stream.once('close', clear);
}
