import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Server } from 'node:net';

/** Below the ports that systems give to whoever asks for any, so that nobody who does takes one before its server does, or while that is away. */
const FIRST = 10_000;
const COUNT = 22_000;

/** Linux has all of 127.0.0.0/8: who holds a port here is the one whose servers may listen at it on 127.0.0.1. */
const CLAIMS = process.platform === 'linux' ? '127.0.0.2' : undefined;

const given = new Set<number>();

/**
 * A port for a server that can't be told to take a free one itself. It is nobody else's for as long as this process lives, not even of
 * other processes of tests, so that the server may listen later, and again.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (given.has(port)) continue;
    const claim = CLAIMS === undefined ? undefined : await listen(port, CLAIMS);
    if (CLAIMS !== undefined && claim === undefined) continue;
    const server = await listen(port, '127.0.0.1');
    if (server === undefined) {
      claim?.close();
      continue;
    }
    server.close();
    await once(server, 'close');
    claim?.unref();
    given.add(port);
    return port;
  }
}

/** @returns undefined where somebody listens there */
function listen(port: number, host: string): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(undefined);
    });
    server.listen(port, host, () => {
      resolve(server);
    });
  });
}
