import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { identityModel } from '../../test/models/onnx-graph.ts';
import { temporaryFolder } from '../../test/models/temporary-folder.ts';
import type { DeathServerFigures } from './death-server.ts';

export interface SoakOptions {
  /** Worker deaths to reach. */
  readonly deaths: number;
  /** Requests to be answered, beside those that the workers die of. */
  readonly requests: number;
  /** Told about twice a second. */
  readonly onSample?: (sample: SoakSample) => void;
}

export interface SoakSample {
  readonly seconds: number;
  readonly deaths: number;
  readonly answered: number;
  readonly rssMiB: number;
}

export interface SoakResult {
  readonly answered: number;
  /** Answers that held anything but what their own request had sent. */
  readonly mixed: number;
  /** Requests that were answered with an error, or not at all. */
  readonly lost: readonly string[];
  readonly deaths: number;
  /** How the requests that the workers died of were answered: the statuses that were seen. */
  readonly poisonStatuses: readonly number[];
  readonly samples: readonly SoakSample[];
}

/** Strings a request has; all have as many, so that a deadly one shares its batch with others. */
const WIDTH = 16;
const CALLERS = 32;
const SAMPLE_EVERY_MS = 500;
const PATH = '/v2/models/echo/infer';

/** Keeps callers busy while requests end the workers under them, and compares every answer with what was asked. */
export async function soakDeaths({ deaths, requests, onSample }: SoakOptions): Promise<SoakResult> {
  await using folder = await temporaryFolder({
    'signalbox.yaml': 'listen: { http: 127.0.0.1:0 }\nmodels: { repository: ./models, control: none }\n',
    'models/echo/1/model.onnx': identityModel('BYTES', ['batch', WIDTH]),
    'models/echo/config.yaml': 'instance_group: [{ count: 2 }]\n',
  });
  const server = fork(fileURLToPath(new URL('./death-server.ts', import.meta.url)));
  server.send(`${folder.path}/signalbox.yaml`);
  const startMs = performance.now();
  let figures = await nextFigures(server);
  const pool = new Pool(`http://127.0.0.1:${figures.port}`, { connections: CALLERS + 1 });
  let [answered, mixed] = [0, 0];
  const lost: string[] = [];
  const poisonStatuses = new Set<number>();
  const samples: SoakSample[] = [];
  const sampled = new EventEmitter();
  const isDone = (): boolean => figures.deaths >= deaths && answered >= requests;

  const call = async (caller: number): Promise<void> => {
    for (let count = 0; !isDone(); count++) {
      const texts = Array.from({ length: WIDTH }, (_, index) => `${caller}/${count}/${index}`);
      try {
        const { statusCode, body } = await pool.request({ path: PATH, method: 'POST', ...jsonBody(texts) });
        const text = await body.text();
        if (statusCode === 200) mixed += text.includes(JSON.stringify(texts)) ? 0 : 1;
        else lost.push(`${statusCode}: ${text}`);
      } catch (error) {
        lost.push(String(error));
      }
      answered += 1;
    }
  };
  const kill = async (): Promise<void> => {
    const poison = binaryBody('x'.repeat(2_000_000));
    while (figures.deaths < deaths) {
      // Spread evenly: the share of the deaths is not ahead of the share of the requests.
      while (answered / requests < figures.deaths / deaths) await once(sampled, 'sample');
      const { statusCode, body } = await pool.request({ path: PATH, method: 'POST', ...poison });
      await body.dump();
      poisonStatuses.add(statusCode);
      server.send('figures');
      figures = await nextFigures(server);
    }
  };
  const sampler = setInterval(() => {
    server.send('figures');
    void nextFigures(server).then((now) => {
      figures = now;
      const seconds = (performance.now() - startMs) / 1000;
      const sample = { seconds, deaths: now.deaths, answered, rssMiB: now.rssMiB };
      samples.push(sample);
      onSample?.(sample);
      sampled.emit('sample');
    });
  }, SAMPLE_EVERY_MS);
  try {
    await Promise.all([kill(), ...Array.from({ length: CALLERS }, (_, caller) => call(caller))]);
  } finally {
    clearInterval(sampler);
    await pool.close();
    const exited = once(server, 'exit');
    server.disconnect();
    await exited;
  }
  return { answered, mixed, lost, deaths: figures.deaths, poisonStatuses: [...poisonStatuses], samples };
}

async function nextFigures(server: ChildProcess): Promise<DeathServerFigures> {
  const [message] = (await once(server, 'message')) as [DeathServerFigures];
  return message;
}

function jsonBody(data: readonly string[]): { readonly body: string } {
  const inputs = [{ name: 'INPUT', shape: [1, WIDTH], datatype: 'BYTES', data }];
  return { body: JSON.stringify({ inputs }) };
}

/** The same string {@link WIDTH} times, in the binary form: a small JSON head, and no large JSON that a worker would read. */
function binaryBody(text: string): { readonly body: Buffer; readonly headers: Record<string, string> } {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  const element = Buffer.concat([length, Buffer.from(text)]);
  const data = Buffer.concat(Array<Buffer>(WIDTH).fill(element));
  const parameters = { binary_data_size: data.length };
  const inputs = [{ name: 'INPUT', shape: [1, WIDTH], datatype: 'BYTES', parameters }];
  const head = Buffer.from(JSON.stringify({ inputs }));
  return {
    body: Buffer.concat([head, data]),
    headers: { 'inference-header-content-length': String(head.length) },
  };
}
