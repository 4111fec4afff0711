import { createServer } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { gunzipSync } from 'node:zlib';

export interface Heard {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** As Latin-1, so that texts inside of protobuf can be found. */
  readonly body: string;
}

/**
 * Whoever a gateway calls, in one: a variant's server, a receiver of webhooks, spans and events, an issuer. It takes down what it is told,
 * and when it is {@link refuse told to} it refuses everything with an error that repeats all it was sent, credentials too, as badly made
 * servers do.
 */
export interface EchoingServer extends AsyncDisposable {
  readonly port: number;
  readonly heard: readonly Heard[];
  /** @param status of every answer from now on */
  refuse(status: number): void;
}

export async function startEchoingServer(): Promise<EchoingServer> {
  const heard: Heard[] = [];
  let status = 200;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const bytes = Buffer.concat(chunks);
      const body = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString(
        'latin1',
      );
      const { url: path = '', headers } = request;
      heard.push({ path, headers, body });
      response.setHeader('content-type', 'application/json');
      if (status !== 200) {
        const error = JSON.stringify({ error: JSON.stringify({ path, headers, body }) });
        response.writeHead(status, { 'x-echo': encodeURI(JSON.stringify(headers)) }).end(error);
      } else if (path.startsWith('/v2')) {
        response.end(JSON.stringify(request.method === 'POST' ? ANSWER : METADATA));
      } else response.end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    heard,
    refuse(next) {
      status = next;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const ANSWER = {
  model_name: 'simple',
  model_version: '1',
  outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: [1, 1], data: [1] }],
};

const METADATA = {
  name: 'simple',
  versions: ['1'],
  platform: 'a server of a test',
  inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [-1, 1] }],
  outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: [-1, 1] }],
};
