import { createServer } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as it arrived at the server. */
export interface Arrived {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** What the server does with a request to predict something, whose body has been received. */
export type Behaviour = (response: ServerResponse, arrived: Arrived) => void;

/** A server of a variant that does as it is told, over real HTTP; its health and its metadata are a v2 server's. */
export interface VariantServer extends AsyncDisposable {
  readonly url: string;
  /** Requests to predict something, in the order in which they came. */
  readonly arrived: readonly Arrived[];
  /** How many of them began to come, whether or not they came to their end. */
  readonly begun: number;
  /** Told when a caller ends a connection in the middle of an exchange. */
  readonly hungUp: Promise<void>;
  behaviour: Behaviour;
  isHealthy: boolean;
  /** Takes no more connections, and ends those there are; `open` takes the same port again. */
  shut(): Promise<void>;
  open(): Promise<void>;
}

const METADATA = {
  name: 'digits',
  versions: ['1'],
  platform: 'elsewhere',
  inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [-1, 1] }],
  outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: [-1, 1] }],
};

/** The answer of a model that gives 42 for everything. */
export const ANSWER = {
  model_name: 'digits',
  model_version: '1',
  outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: [1, 1], data: [42] }],
};

export const answers42: Behaviour = (response) => {
  json(response, 200, ANSWER);
};

export function json(response: ServerResponse, status: number, value: unknown): void {
  const body = JSON.stringify(value);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}

/** @param metadata what it says of its model */
export async function startVariantServer(
  behaviour: Behaviour = answers42,
  metadata: object = METADATA,
): Promise<VariantServer> {
  const arrived: Arrived[] = [];
  let begun = 0;
  const hungUp = Promise.withResolvers<undefined>();
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { url: path = '', headers } = request;
    response.on('close', () => {
      if (!response.writableFinished) hungUp.resolve(undefined);
    });
    if (request.method === 'GET') {
      json(response, server.isHealthy ? 200 : 503, metadata);
      return;
    }
    begun += 1;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const call = { path, headers, body: Buffer.concat(chunks) };
    arrived.push(call);
    server.behaviour(response, call);
  };
  const http = createServer((request, response) => {
    // A caller that hangs up in the middle of its body is what some tests are about.
    handle(request, response).catch(() => undefined);
  });
  const listen = (port: number): Promise<void> =>
    new Promise((resolve) => http.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const { port } = http.address() as AddressInfo;
  const shut = (): Promise<void> =>
    new Promise((resolve) => {
      http.close(() => {
        resolve();
      });
      http.closeAllConnections();
    });
  const server: VariantServer = {
    url: `http://127.0.0.1:${port}`,
    arrived,
    get begun() {
      return begun;
    },
    hungUp: hungUp.promise,
    behaviour,
    isHealthy: true,
    shut,
    open: () => listen(port),
    [Symbol.asyncDispose]: async () => {
      if (http.listening) await shut();
    },
  };
  return server;
}
