/** Load over plain sockets: so cheap that on a small machine the server, not the load, is what is measured. */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { loadResult } from './load-result.ts';
import type { LoadResult } from './load-result.ts';

export interface LoadOptions {
  readonly host: string;
  readonly port: number;
  /** Whole HTTP/1.1 requests, sent in turn. */
  readonly requests: readonly Buffer[];
  readonly connections: number;
  readonly seconds: number;
  /**
   * Open loop: requests a second, sent when they are due whether or not earlier ones were answered, and timed from when
   * they were due. Undefined: closed loop, each connection sends the next request when it has its answer.
   */
  readonly ratePerSecond?: number;
}

const HEAD_END = Buffer.from('\r\n\r\n');

/** One keep-alive connection with at most one request under way. */
export class Connection {
  readonly #socket: Socket;
  #received: Buffer[] = [];
  #receivedBytes = 0;
  /** Bytes of the answer under way; 0 until its head has come. */
  #expectedBytes = 0;
  #status = 0;
  #settle: ((status: number) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#receive(chunk);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#fail?.(new Error('the connection was closed before the answer'));
    });
  }

  static open(host: string, port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port }, () => {
        resolve(new Connection(socket));
      });
      socket.once('error', reject);
    });
  }

  /** Resolves with the answer's status; rejects when the connection ends before it. */
  send(request: Buffer): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#settle = resolve;
      this.#fail = reject;
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#received.push(chunk);
    this.#receivedBytes += chunk.length;
    if (this.#expectedBytes === 0) this.#readHead();
    if (this.#expectedBytes === 0 || this.#receivedBytes < this.#expectedBytes) return;
    this.#received = [];
    this.#receivedBytes = 0;
    this.#expectedBytes = 0;
    const settle = this.#settle;
    this.#settle = undefined;
    this.#fail = undefined;
    settle?.(this.#status);
  }

  #readHead(): void {
    const bytes = this.#received.length === 1 ? this.#received[0] : Buffer.concat(this.#received);
    if (bytes === undefined) return;
    const end = bytes.indexOf(HEAD_END);
    if (end < 0) return;
    const head = bytes.toString('latin1', 0, end);
    this.#status = Number(head.slice(9, 12));
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
    this.#expectedBytes = end + HEAD_END.length + Number(length ?? 0);
  }
}

/** @param onUnderWay is called once, when each connection has had two answers on average */
export async function runLoad(options: LoadOptions, onUnderWay = (): void => undefined): Promise<LoadResult> {
  const { host, port } = options;
  const connections = await Promise.all(
    Array.from({ length: options.connections }, () => Connection.open(host, port)),
  );
  const latenciesMs: number[] = [];
  let failures = 0;
  const startMs = performance.now();
  const endMs = startMs + options.seconds * 1000;
  let next = 0;
  const sendNext = async (connection: Connection, dueMs: number): Promise<void> => {
    const request = options.requests[next++ % options.requests.length];
    if (request === undefined) throw new Error('the load has no requests');
    const status = await connection.send(request);
    latenciesMs.push(performance.now() - dueMs);
    if (status !== 200) failures += 1;
    if (latenciesMs.length === 2 * connections.length) onUnderWay();
  };

  if (options.ratePerSecond === undefined) {
    await Promise.all(
      connections.map(async (connection) => {
        while (performance.now() < endMs) await sendNext(connection, performance.now());
      }),
    );
  } else {
    await openLoop(connections, options.ratePerSecond, startMs, endMs, sendNext);
  }
  const elapsedSeconds = (performance.now() - startMs) / 1000;
  for (const connection of connections) connection.close();
  return loadResult(latenciesMs, failures, elapsedSeconds);
}

/**
 * Requests are due at even distances; one that finds every connection busy waits, and that wait counts. What is under way is counted, not kept in a
 * collection: one that all requests pass through makes the load's own collections of garbage long.
 */
function openLoop(
  connections: readonly Connection[],
  ratePerSecond: number,
  startMs: number,
  endMs: number,
  send: (connection: Connection, dueMs: number) => Promise<void>,
): Promise<void> {
  const idle = [...connections];
  const dueMs = (request: number): number => startMs + (request * 1000) / ratePerSecond;
  let due = 0;
  let sent = 0;
  let isOver = false;
  return new Promise((resolve, reject) => {
    const pump = (): void => {
      while (sent < due) {
        const connection = idle.pop();
        if (connection === undefined) return;
        send(connection, dueMs(sent++)).then(() => {
          idle.push(connection);
          pump();
        }, reject);
      }
      if (isOver && idle.length === connections.length) resolve();
    };
    const tick = (): void => {
      const nowMs = performance.now();
      while (dueMs(due) <= nowMs) due += 1;
      isOver = nowMs >= endMs;
      pump();
      // A loop that looked at the clock all the time would take a whole core of the machine that it measures.
      if (!isOver) setTimeout(tick, 1);
    };
    tick();
  });
}
