import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { loadConfig } from '../../gateway/config/load-config.ts';
import { serve } from '../../gateway/server.ts';
import type { Server } from '../../gateway/server.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';
import type { TemporaryFolder } from '../models/temporary-folder.ts';

export const DEMO_FOLDER = fileURLToPath(new URL('../../demo', import.meta.url));

/** A gateway that listens on free ports, in this process, over a folder of its own. */
export interface RunningGateway extends AsyncDisposable {
  readonly server: Server;
  readonly folder: TemporaryFolder;
  /** Its log, a line each. */
  readonly log: readonly string[];
  url(path: string): string;
  /** The Prometheus text. */
  metrics(): Promise<string>;
}

export interface GatewayFiles {
  /** Lines of signalbox.yaml beside `listen`, `models.repository` and `experiments`. */
  readonly config?: string;
  /** The model repository; left out: `models` in the gateway's own folder. */
  readonly repository?: string;
  /** Whether it listens for gRPC too. */
  readonly grpc?: true;
  /** Whether it has a control plane. */
  readonly admin?: true;
  /** Files of the gateway's folder, as `models/simple/1/model.onnx` or `experiments/a.yaml`. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
}

/** The test is on the gateway's own thread: that it holds the thread up, on a busy machine for seconds, is no reason to turn its calls away. */
const NEVER_TOO_LATE = 'limits: { shedding: { eventLoopDelay: 1h } }\n';

export async function startGateway({
  config = '',
  repository = './models',
  grpc,
  admin,
  files = {},
}: GatewayFiles): Promise<RunningGateway> {
  const folder = await temporaryFolder({
    'signalbox.yaml':
      `listen: { http: 127.0.0.1:0, ${grpc === true ? 'grpc: 127.0.0.1:0, ' : ''}metrics: 127.0.0.1:0${admin === true ? ', admin: 127.0.0.1:0' : ''} }\n` +
      (/^models:/m.test(config) ? '' : `models: { repository: ${JSON.stringify(repository)} }\n`) +
      (/^limits:/m.test(config) ? '' : NEVER_TOO_LATE) +
      `experiments: ./experiments\n${config}\n`,
    'experiments/README': 'one file an experiment',
    ...files,
  });
  const log: string[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => log.push(line) });
  const server = await serve(await loadConfig(join(folder.path, 'signalbox.yaml'), {}), logger);
  const metricsUrl = `http://${server.bound.metrics ?? ''}/metrics`;
  return {
    server,
    folder,
    log,
    url: (path) => `http://${server.bound.http ?? ''}${path}`,
    metrics: async () => (await fetch(metricsUrl)).text(),
    async [Symbol.asyncDispose]() {
      await server.stop();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Asks until `check` is true; the look itself is what takes the time, and a test's own time limit ends it. */
export async function eventually(check: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await check())) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** The value of a metric's series; 0 where there is none. Labels as they stand in the text, in any order. */
export function metricValue(
  text: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter((line) => Object.entries(labels).every(([key, value]) => line.includes(`${key}="${value}"`)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

/** The 90/10 experiment of the demo, as a file's text. */
export function experimentFile(fields: Readonly<Record<string, unknown>> = {}): string {
  const experiment = {
    key: 'digits-cnn',
    model: 'digits',
    status: 'running',
    control: 'v1',
    variants: [
      { name: 'v1', version: 1, weight: 90 },
      { name: 'v2', version: 2, weight: 10 },
    ],
    ...fields,
  };
  return JSON.stringify(experiment, undefined, 2);
}
