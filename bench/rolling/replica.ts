import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A gateway in processes of its own, as `signalbox serve` starts it. */
export class Replica {
  readonly http: string;
  readonly admin: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;

  private constructor(child: ChildProcess, http: string, admin: string) {
    this.#child = child;
    this.http = http;
    this.admin = admin;
    this.#ended = new Promise((resolve) => child.once('exit', resolve));
  }

  /** @throws Error when it ends before it is ready */
  static async start(config: string): Promise<Replica> {
    const child = spawn(process.execPath, ['gateway/cli/main.ts', 'serve', '--config', config], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'inherit'],
      // With a process group of its own, a kill takes parent and child together, as a machine that is gone does.
      detached: true,
    });
    for await (const line of createInterface(child.stdout)) {
      const [, http, admin] = /^ready http=(\S+) admin=(\S+)/.exec(line) ?? [];
      if (http !== undefined && admin !== undefined) return new Replica(child, http, admin);
    }
    throw new Error('a replica ended before it was ready');
  }

  async isReady(): Promise<boolean> {
    return fetch(`http://${this.http}/v2/health/ready`, { signal: AbortSignal.timeout(1000) }).then(
      (response) => response.ok,
      () => false,
    );
  }

  /** As Kubernetes stops a pod: SIGTERM. Resolves with the exit code; 0: all that was in flight was answered. */
  async stop(): Promise<number | null> {
    this.#child.kill('SIGTERM');
    return this.#ended;
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    if (this.#child.pid !== undefined) process.kill(-this.#child.pid, 'SIGKILL');
    await this.#ended;
  }
}
