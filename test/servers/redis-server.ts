import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from '../models/temporary-folder.ts';
import { findServer } from './debian-server.ts';
import type { FoundServer } from './debian-server.ts';
import { freePort } from './free-port.ts';

export const findRedis = (): Promise<FoundServer> => findServer('redis-server', 'redis-server');

/** A real Redis of a test's own, on a free port, with its data in a folder of its own. */
export interface RunningRedis extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** Kills it as a crash would; what its append-only file has is there after {@link start}. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Kills it, and starts it with nothing of what it had. */
  lose(): Promise<void>;
  /** Stops answering without closing a connection, as an overloaded or cut-off server. */
  freeze(): void;
  thaw(): void;
}

export async function startRedis(program: string, options: readonly string[] = []): Promise<RunningRedis> {
  const folder = await temporaryFolder({ README: 'the data of a test' });
  let port = await freePort();
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    for (let tries = 0; ; tries++) {
      child = await startOnce(program, port, folder.path, options);
      if (child !== undefined) return;
      // Somebody else took the port in between.
      if (tries === 5) throw new Error('redis-server ended before it was ready, five times');
      port = await freePort();
    }
  };
  const kill = async (): Promise<void> => {
    const running = child;
    child = undefined;
    if (running?.exitCode !== null) return;
    running.kill('SIGKILL');
    await once(running, 'exit');
  };
  await start();
  return {
    get port() {
      return port;
    },
    get url() {
      return `redis://127.0.0.1:${port}/0`;
    },
    kill,
    start,
    async lose() {
      await kill();
      await rm(join(folder.path, 'appendonlydir'), { recursive: true, force: true });
      await start();
    },
    freeze: () => child?.kill('SIGSTOP'),
    thaw: () => child?.kill('SIGCONT'),
    async [Symbol.asyncDispose]() {
      await kill();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** @returns undefined when it ended before it was ready */
function startOnce(
  program: string,
  port: number,
  folder: string,
  options: readonly string[],
): Promise<ChildProcess | undefined> {
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''];
  const child = spawn(program, [...args, '--appendonly', 'yes', '--appendfsync', 'no', ...options], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return new Promise((resolve) => {
    let printed = '';
    child.once('exit', () => {
      resolve(undefined);
    });
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
      if (printed.includes('eady to accept connections')) {
        child.stdout.removeAllListeners('data').resume();
        resolve(child);
      }
    });
  });
}

/** Three masters that share the slots, each on a free port. */
export interface RunningRedisCluster extends AsyncDisposable {
  readonly url: string;
}

/** @param cli `redis-cli` */
export async function startRedisCluster(program: string, cli: string): Promise<RunningRedisCluster> {
  // A node's bus would take the port 10,000 above its own, which may be none.
  const cluster = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'];
  const nodes: RunningRedis[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()));
  };
  try {
    for (let count = 0; count < 3; count++) {
      const busPort = await freePort();
      nodes.push(await startRedis(program, [...cluster, '--cluster-port', String(busPort)]));
    }
    const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
    await promisify(execFile)(cli, ['--cluster', 'create', ...addresses, '--cluster-yes'], {
      timeout: 100_000,
    });
    return {
      url: `redis+cluster://${addresses.join(',')}`,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
