import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { childOf } from '../../test/chaos/supervised.ts';
import { run } from '../../test/e2e/cli.ts';
import { metricValue } from '../../test/gateway/running-gateway.ts';
import { addingModel } from '../../test/models/small-models.ts';
import { temporaryFolder } from '../../test/models/temporary-folder.ts';
import type { TemporaryFolder } from '../../test/models/temporary-folder.ts';

/** A gateway under its parent, as `signalbox serve` starts it. */
export interface GatewayProcess extends AsyncDisposable {
  readonly folder: TemporaryFolder;
  /** The data plane's URL. */
  readonly url: string;
  readonly address: string;
  /** The control plane's URL. */
  readonly admin: string;
  /** The parent's. */
  readonly pid: number;
  /** The process that serves now. */
  childPid(): Promise<number>;
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>;
  /** Descriptors that the serving process has open. */
  descriptors(): Promise<number>;
  /** Its resident memory. */
  rssBytes(): Promise<number>;
  /** Its threads, those of its workers and of its libraries included. */
  threads(): Promise<number>;
  stderr(): string;
  /** Ends it by SIGTERM. @returns the exit code */
  stop(): Promise<unknown>;
}

export interface GatewayProcessOptions {
  /** Lines of signalbox.yaml beside listen, models and experiments. */
  readonly config?: string;
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly env?: NodeJS.ProcessEnv;
  readonly isEncrypted?: boolean;
}

/** An experiment of two versions of a model that adds; the second adds as much, so that all answers are alike. */
export const ADDER_FILES = {
  'models/adder/1/model.onnx': addingModel(1),
  'models/adder/2/model.onnx': addingModel(1),
  'experiments/adder.yaml': adderExperiment(),
} as const;

export function adderExperiment(fields: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    key: 'adder-test',
    model: 'adder',
    status: 'running',
    control: 'v1',
    variants: [
      { name: 'v1', version: 1, weight: 50 },
      { name: 'v2', version: 2, weight: 50 },
    ],
    metrics: [{ name: 'correct', kind: 'proportion', role: 'goal' }],
    ...fields,
  });
}

export async function startGatewayProcess({
  config = 'state: sqlite:./state.db\n',
  files = ADDER_FILES,
  env = process.env,
  isEncrypted = false,
}: GatewayProcessOptions = {}): Promise<GatewayProcess> {
  const folder = await temporaryFolder({
    'signalbox.yaml':
      'listen: { http: 127.0.0.1:0, metrics: 127.0.0.1:0, admin: 127.0.0.1:0 }\n' +
      `models: { repository: ./models }\nexperiments: ./experiments\n${config}`,
    ...files,
  });
  const file = join(folder.path, 'signalbox.yaml');
  const running = run(process.execPath, ['gateway/cli/main.ts', 'serve', '--config', file], env);
  const { http = '', admin = '', metrics = '', pid } = await running.ready();
  const childPid = (): Promise<number> => childOf(Number(pid));
  return {
    folder,
    url: `${isEncrypted ? 'https' : 'http'}://${http}`,
    address: http,
    admin: `http://${admin}`,
    pid: Number(pid),
    childPid,
    async metric(name, labels) {
      return metricValue(await (await fetch(`http://${metrics}/metrics`)).text(), name, labels);
    },
    descriptors: async () => (await readdir(`/proc/${await childPid()}/fd`)).length,
    rssBytes: async () => (await statusOf(await childPid(), 'VmRSS')) * 1024,
    threads: async () => statusOf(await childPid(), 'Threads'),
    stderr: () => running.stderr(),
    async stop() {
      running.child.kill('SIGTERM');
      return running.ended;
    },
    async [Symbol.asyncDispose]() {
      await running[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** A number that the kernel tells of a process. */
async function statusOf(pid: number, field: 'VmRSS' | 'Threads'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
}
