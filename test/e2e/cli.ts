import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A command that runs, and what it has printed so far. */
export interface Running extends AsyncDisposable {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  stdout(): string;
  stderr(): string;
  /** Resolves with the exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  /** Resolves with the fields of the line `ready …`; rejects when the command ends before it. */
  ready(): Promise<Readonly<Record<string, string>>>;
}

export function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Running {
  const child = spawn(command, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  const more = new EventTarget();
  // A character may come in two parts.
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    out += chunk;
    more.dispatchEvent(new Event('more'));
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (err += chunk));
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once('close', (code, signal) => {
      resolve(code ?? signal);
    });
  });
  return {
    child,
    stdout: () => out,
    stderr: () => err,
    ended,
    ready: () =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const line = /^ready (.*)\n/m.exec(out)?.[1];
          if (line !== undefined)
            resolve(Object.fromEntries(line.split(' ').map((field) => field.split('=') as [string, string])));
        };
        more.addEventListener('more', look);
        void ended.then((code) => {
          reject(new Error(`ended with ${String(code)} before it was ready:\n${err}`));
        });
        look();
      }),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** `signalbox …`, on this Node. */
export function signalbox(...args: readonly string[]): Running {
  return run(process.execPath, ['gateway/cli/main.ts', ...args]);
}
