import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { metricValue } from '../gateway/running-gateway.ts';
import { run } from '../e2e/cli.ts';
import type { Running } from '../e2e/cli.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';
import type { TemporaryFolder } from '../models/temporary-folder.ts';

/** A gateway under its supervisor, each a process of its own. */
export interface Supervised extends AsyncDisposable {
  readonly running: Running;
  readonly folder: TemporaryFolder;
  /** The pid of the parent, which is who is signalled. */
  readonly pid: number;
  /** What the first start took, the loading of the models included. */
  readonly startMs: number;
  /** The process that serves now. */
  childPid(): Promise<number>;
  infer(model: string, value: number): Promise<Response>;
  /** POSTs JSON to the data plane. */
  post(path: string, body: unknown): Promise<Response>;
  /** The data plane's URL. */
  readonly data: string;
  /** The control plane's URL. */
  readonly admin: string;
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>;
  /** POSTs `/v2/repository/models/{model}/load` or `unload`, with a configuration where there is one. */
  change(model: string, action: 'load' | 'unload', config?: object): Promise<Response>;
  /** A model's configuration, as `GET /v2/models/{model}/config` has it. */
  configOf(model: string): Promise<unknown>;
  /** Lines of the log with that message. */
  logged(message: string): readonly Readonly<Record<string, unknown>>[];
}

export interface SupervisedOptions {
  /** Files of `model.onnx` by model, served as version 1. */
  readonly models: Readonly<Record<string, Uint8Array>>;
  /** Further files, by path in the folder of the models. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** Who loads them; left out: they are there from the start. */
  readonly control?: 'none' | 'poll' | 'explicit';
  /** Further lines of signalbox.yaml. */
  readonly config?: string;
  /** Experiments' files, by name; left out: there are none. */
  readonly experiments?: Readonly<Record<string, string>>;
  /** A module that every process of it imports first. */
  readonly preload?: string;
}

export async function startSupervised({
  models,
  files = {},
  control = 'none',
  config = '',
  experiments = {},
  preload,
}: SupervisedOptions): Promise<Supervised> {
  const folder = await temporaryFolder({
    'signalbox.yaml':
      'listen: { http: 127.0.0.1:0, metrics: 127.0.0.1:0, admin: 127.0.0.1:0 }\n' +
      `models: { repository: ./models, control: ${control} }\n${config}\n`,
    ...Object.fromEntries(
      Object.entries(models).map(([model, bytes]) => [`models/${model}/1/model.onnx`, bytes]),
    ),
    ...Object.fromEntries(Object.entries(files).map(([path, content]) => [`models/${path}`, content])),
    ...Object.fromEntries(
      Object.entries(experiments).map(([name, content]) => [`experiments/${name}`, content]),
    ),
  });
  const args = ['gateway/cli/main.ts', 'serve', '--config', join(folder.path, 'signalbox.yaml')];
  const startedMs = performance.now();
  const running = run(process.execPath, args, {
    ...process.env,
    ...(preload !== undefined && { NODE_OPTIONS: `--import=${preload}` }),
  });
  const { http = '', metrics = '', admin = '', pid } = await running.ready();
  const post = (path: string, body: unknown): Promise<Response> =>
    fetch(`http://${http}${path}`, { method: 'POST', body: JSON.stringify(body) });
  return {
    running,
    folder,
    pid: Number(pid),
    startMs: performance.now() - startedMs,
    childPid: () => childOf(Number(pid)),
    infer(model, value) {
      const inputs = [{ name: 'INPUT', shape: [1, 1], datatype: 'FP32', data: [value] }];
      return post(`/v2/models/${model}/infer`, { inputs });
    },
    post,
    data: `http://${http}`,
    admin: `http://${admin}`,
    change(model, action, config) {
      const parameters = config === undefined ? {} : { config: JSON.stringify(config) };
      return post(`/v2/repository/models/${model}/${action}`, { parameters });
    },
    async configOf(model) {
      return (await fetch(`http://${http}/v2/models/${model}/config`)).json();
    },
    async metric(name, labels) {
      return metricValue(await (await fetch(`http://${metrics}/metrics`)).text(), name, labels);
    },
    logged: (message) =>
      running
        .stderr()
        .split('\n')
        // What comes after the last line's end is one of which the rest is still to come.
        .slice(0, -1)
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
        .filter((line) => line.msg === message),
    async [Symbol.asyncDispose]() {
      running.child.kill('SIGKILL');
      await running.ended;
      await folder[Symbol.asyncDispose]();
    },
  };
}

export async function childOf(pid: number): Promise<number> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  const child = Number(children.trim().split(' ')[0]);
  if (!(child > 0)) throw new Error(`process ${pid} has no child`);
  return child;
}

/** Whether a process is there, and not just its entry in the table. */
export async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat !== undefined && !/\) [ZX] /.test(stat);
}
