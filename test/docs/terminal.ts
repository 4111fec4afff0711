import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { join } from 'node:path';

/** What a block of commands came to. */
export interface Ended {
  /** Of the first command that failed, or 0. */
  readonly exitCode: number;
  /** That command, or ''. */
  readonly failed: string;
  /** What stood on the terminal: stdout and stderr. */
  readonly printed: string;
}

/**
 * One terminal, as the reader of a page has it: variables and the folder stay from block to block. A block goes on after a command that
 * failed, as a terminal does, and says which was the first. Nothing can ask for input.
 */
export class Terminal implements AsyncDisposable {
  readonly #shell: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #notes: string;
  readonly #jobs: number[] = [];
  #blocks = 0;
  #said = '';
  #complaints = '';

  /** @param notes a folder for what the terminal needs itself */
  constructor(folder: string, notes: string, env: NodeJS.ProcessEnv) {
    this.#notes = notes;
    this.#shell = spawn('bash', ['--noprofile', '--norc'], {
      cwd: folder,
      env,
      stdio: 'pipe',
      detached: true,
    });
    this.#shell.stdout.on('data', (chunk: Buffer) => (this.#said += chunk.toString()));
    this.#shell.stderr.on('data', (chunk: Buffer) => (this.#complaints += chunk.toString()));
    this.#send(
      `set -E; failed= code=0; trap 's=$?; [ "$code" = 0 ] && { code=$s; failed=$BASH_COMMAND; }; true' ERR`,
    );
  }

  /** @throws Error when it has not ended in time */
  async run(commands: string, timeoutMs: number): Promise<Ended> {
    const { script, output } = await this.#write(commands);
    const mark = `ended-${this.#blocks}`;
    this.#send(
      `code=0 failed=; . ${script} >${output} 2>&1 </dev/null; echo "${mark} $code $failed"; echo ${mark}`,
    );
    const pattern = new RegExp(`^${mark} (\\d+) ([\\s\\S]*?)\n?${mark}$`, 'm');
    const ended = await until(() => pattern.exec(this.#said), timeoutMs);
    const printed = await read(output);
    if (ended === undefined)
      throw new Error(`it has not ended within ${timeoutMs / 1000} s; it printed:\n${printed}`);
    const [, exitCode = '', failed = ''] = ended;
    return { exitCode: Number(exitCode), failed, printed };
  }

  /**
   * Starts a server that goes on beside what follows.
   *
   * @param readyText what it prints once it is ready
   * @throws Error with what it printed when it ended before that
   */
  async start(commands: string, readyText: string, timeoutMs: number): Promise<void> {
    const { script, output } = await this.#write(commands);
    const mark = `started-${this.#blocks}`;
    // With a process group of its own it can be stopped as a whole, by the page (`kill %1`) or at the end.
    this.#send(`set -m; ( . ${script} ) >${output} 2>&1 </dev/null & set +m; echo "${mark} $!"`);
    const started = await until(() => new RegExp(`^${mark} (\\d+)$`, 'm').exec(this.#said), timeoutMs);
    const pid = Number(started?.[1]);
    this.#jobs.push(pid);
    const ready = await until(async () => {
      const alive = isAlive(pid);
      if ((await read(output)).includes(readyText)) return 'ready';
      return alive ? null : 'ended';
    }, timeoutMs);
    if (ready === 'ready') return;
    const why = ready === 'ended' ? 'it ended before' : `not within ${timeoutMs / 1000} s`;
    throw new Error(`no "${readyText}": ${why}; it printed:\n${await read(output)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#shell.once('close', resolve));
    for (const group of [...this.#jobs, this.#shell.pid ?? 0]) if (group > 0) killGroup(group);
    await ended;
  }

  #send(line: string): void {
    this.#shell.stdin.write(`${line}\n`);
  }

  async #write(commands: string): Promise<{ readonly script: string; readonly output: string }> {
    if (this.#shell.exitCode !== null) throw new Error(`the shell has ended: ${this.#complaints}`);
    const name = join(this.#notes, `block-${++this.#blocks}`);
    await writeFile(`${name}.sh`, `${commands}\n`);
    return { script: `${name}.sh`, output: `${name}.out` };
  }
}

/** What the look finds, or undefined when the time is over. */
async function until<T>(look: () => Promise<T | null> | T | null, timeoutMs: number): Promise<T | undefined> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (performance.now() > end) return undefined;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const read = (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '');

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}
