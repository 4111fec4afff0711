import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RolloutRecord } from '../../experiments/rollouts/state.ts';
import { ROOT, run } from '../e2e/cli.ts';
import type { Running } from '../e2e/cli.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';
import type { TemporaryFolder } from '../models/temporary-folder.ts';

export const USERS: readonly string[] = Array.from({ length: 20 }, (_, user) => `user-${user}`);

/** What the control plane tells of the experiment, as far as these tests look. */
export interface Told {
  readonly weightsVersion: number;
  readonly status: string;
  readonly winner?: string;
  readonly changed?: boolean;
  readonly error?: string;
  readonly standing: {
    readonly isRecovered: boolean;
    readonly reason: string;
    readonly rollout: RolloutRecord | null;
  };
}

export interface AuditLine {
  readonly action: string;
  readonly reason: string;
  readonly at: string;
  readonly actor: { readonly kind: string; readonly id: string };
  readonly before: AuditedState | null;
  readonly after: AuditedState;
}

interface AuditedState {
  readonly version: number;
  readonly rollout: RolloutRecord | null;
}

export interface ReplicaOptions {
  /** Where the state is kept. */
  readonly state: string;
  /** The folder of an earlier process, which it goes on with. */
  readonly folder?: TemporaryFolder;
  /** Of a new folder: the models and the experiment `digits-cnn`. */
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  /** Further lines of its configuration. */
  readonly config?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** A gateway in a process of its own. */
export class Replica {
  readonly folder: TemporaryFolder;
  readonly running: Running;
  readonly #ready: Readonly<Record<string, string>>;
  readonly #options: ReplicaOptions;

  private constructor(
    options: ReplicaOptions,
    folder: TemporaryFolder,
    running: Running,
    ready: Readonly<Record<string, string>>,
  ) {
    this.#options = options;
    this.folder = folder;
    this.running = running;
    this.#ready = ready;
  }

  static async start(options: ReplicaOptions): Promise<Replica> {
    const { state, files, config = '', env } = options;
    const folder =
      options.folder ??
      (await temporaryFolder({
        'signalbox.yaml':
          'listen: { http: 127.0.0.1:0, admin: 127.0.0.1:0 }\nmodels: { repository: ./models }\n' +
          'experiments: ./experiments\nsecret: a secret of a test, long enough\n' +
          `telemetry: { audit: { file: audit.jsonl } }\nstate: ${state}\n${config}`,
        ...files,
      }));
    const args = ['serve', '--no-supervisor', '--config', join(folder.path, 'signalbox.yaml')];
    const running = run(process.execPath, [join(ROOT, 'gateway/cli/main.ts'), ...args], env);
    return new Replica(options, folder, running, await running.ready());
  }

  /** Another process over the same folder, once this one is dead. */
  again(): Promise<Replica> {
    return Replica.start({ ...this.#options, folder: this.folder });
  }

  get pid(): number {
    return this.running.child.pid ?? 0;
  }

  async told(): Promise<Told> {
    const response = await fetch(`http://${this.#ready.admin ?? ''}/api/experiments/digits-cnn`);
    return (await response.json()) as Told;
  }

  async command(action: string, reason: string): Promise<{ readonly status: number; readonly body: Told }> {
    const response = await fetch(`http://${this.#ready.admin ?? ''}/api/experiments/digits-cnn/${action}`, {
      method: 'POST',
      body: JSON.stringify({ reason }),
    });
    return { status: response.status, body: (await response.json()) as Told };
  }

  /** @returns the status and who answered */
  async infer(headers: Readonly<Record<string, string>>, value = 1): Promise<string> {
    const response = await fetch(`http://${this.#ready.http ?? ''}/v2/models/digits/infer`, {
      method: 'POST',
      body: JSON.stringify({
        inputs: [{ name: 'INPUT', shape: [1, 1], datatype: 'FP32', data: [value] }],
      }),
      headers,
    });
    await response.arrayBuffer();
    return `${response.status} ${response.headers.get('x-experiment') ?? ''}`;
  }

  /** Who gets what, in the order of {@link USERS}. */
  assignment(): Promise<readonly string[]> {
    return Promise.all(USERS.map((user) => this.infer({ 'x-user-id': user })));
  }

  async history(): Promise<readonly AuditLine[]> {
    const text = await readFile(join(this.folder.path, 'audit.jsonl'), 'utf8');
    // What comes after the last line's end is one that is being written.
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as AuditLine);
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.running.child.kill(signal);
  }

  async kill(): Promise<void> {
    this.running.child.kill('SIGKILL');
    await this.running.ended;
  }

  async end(): Promise<void> {
    await this.kill();
    await this.folder[Symbol.asyncDispose]();
  }
}
