import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** One of several gateways on one Redis, in a process of its own. */
export interface ReplicaProcess extends AsyncDisposable {
  /** Addresses, `host:port`. */
  readonly http: string;
  readonly admin: string;
}

/** @param folder with its `signalbox.yaml` */
export async function startReplica(folder: string): Promise<ReplicaProcess> {
  const args = [
    'gateway/cli/main.ts',
    'serve',
    '--no-supervisor',
    '--config',
    join(folder, 'signalbox.yaml'),
  ];
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface(child.stdout)) {
    const { http, admin } = /http=(?<http>\S+).* admin=(?<admin>\S+)/.exec(line)?.groups ?? {};
    if (http === undefined || admin === undefined) continue;
    return {
      http,
      admin,
      async [Symbol.asyncDispose]() {
        const ended = once(child, 'exit');
        child.kill('SIGKILL');
        await ended;
      },
    };
  }
  throw new Error('a gateway ended before it was ready');
}

/** Times in milliseconds as a line: the median, the 99th percentile and the longest. */
export function timesText(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const quantile = (share: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN).toFixed(1);
  return `p50 ${quantile(0.5)}, p99 ${quantile(0.99)}, most ${quantile(1)}`;
}
