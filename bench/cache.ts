/** `npm run bench:cache [-- ROUNDS]`: bench/README.md has the method. */
import { cpus } from 'node:os';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MemoryAnswers } from '../backends/cache/memory-answers.ts';
import type { InferRequest } from '../backends/inference.ts';
import { ModelRepository } from '../backends/repository/repository.ts';
import { slowModel } from '../test/models/small-models.ts';
import { temporaryFolder } from '../test/models/temporary-folder.ts';
import { DEMO, digitRequests } from './digits.ts';
import type { LoadResult } from './load/load-result.ts';
import { httpRequest } from './load/http-request.ts';
import { loadFromOutside, startServer } from './process.ts';
import type { ServerProcess } from './process.ts';
import { median, print, printFigure, spread } from './report.ts';

const SECONDS = 1;
const CONNECTIONS = 64;
/** Of the slow model: a row of `[SIDE, SIDE]` takes some milliseconds. */
const SIDE = 64;
const PRODUCTS = 60;
/** Callers of single flight that ask the same at once, and how often they do. */
const CALLERS = 64;
const WAVES = 50;

/** What a gateway's cache does: keep everything that is asked here, keep nothing for want of room, or nothing by the model's configuration. */
const CACHES = { hit: '64MiB', miss: '1KiB', off: undefined } as const;
type Cache = keyof typeof CACHES;

/** The demo's classifier, and one that takes milliseconds, in a gateway of its own. */
async function startGateway(cache: Cache) {
  const memory = CACHES[cache];
  const enable = memory === undefined ? '' : '\nresponse_cache: { enable: true }\n';
  const demo = (file: string): Promise<Buffer> => readFile(join(DEMO, 'models/digits', file));
  const folder = await temporaryFolder({
    'signalbox.yaml':
      'listen: { http: 127.0.0.1:0 }\nmodels: { repository: ./models }\n' +
      (memory === undefined ? '' : `cache: { memory: ${memory} }\n`),
    'models/digits/1/model.onnx': await demo('1/model.onnx'),
    'models/digits/labels.txt': await demo('labels.txt'),
    'models/digits/config.yaml': `${(await demo('config.yaml')).toString()}${enable}`,
    'models/slow/1/model.onnx': slowModel(SIDE, PRODUCTS),
    'models/slow/config.yaml': `max_batch_size: 8${enable}`,
  });
  const server = await startServer('./servers/gateway.ts', { config: join(folder.path, 'signalbox.yaml') });
  return {
    server,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function uploads(): Promise<readonly Buffer[]> {
  const names = (await readdir(join(DEMO, 'images'))).filter((name) => name.endsWith('.png'));
  return Promise.all(
    names.map(async (name) => httpRequest('/predict/digits', {}, await readFile(join(DEMO, 'images', name)))),
  );
}

/** Tensors of many callers in the binary extension. */
function slowRequests(): readonly Buffer[] {
  return Array.from({ length: 500 }, (_, caller) => {
    const tensor = Buffer.from(
      Float32Array.from({ length: SIDE * SIDE }, (_value, at) => ((at + caller) % 1009) / 50_000).buffer,
    );
    const size = tensor.length;
    const head = Buffer.from(
      JSON.stringify({
        inputs: [
          { name: 'INPUT', datatype: 'FP32', shape: [1, SIDE, SIDE], parameters: { binary_data_size: size } },
        ],
        parameters: { binary_data_output: true },
      }),
    );
    return httpRequest(
      '/v2/models/slow/infer',
      { 'inference-header-content-length': head.length },
      Buffer.concat([head, tensor]),
    );
  });
}

interface Measured extends LoadResult {
  /** Processor time of the server's main thread, which says more than the clock where others use the machine. */
  readonly mainThreadUs: number;
}

async function compare(
  what: string,
  requests: readonly Buffer[],
  servers: Readonly<Record<Cache, ServerProcess>>,
  rounds: number,
): Promise<void> {
  const measured: Record<Cache, Measured[]> = { hit: [], miss: [], off: [] };
  // The first round warms up, and fills the cache.
  for (let round = 0; round <= rounds; round++) {
    for (const cache of ['off', 'miss', 'hit'] as const) {
      const server = servers[cache];
      await server.measure();
      const result = await loadFromOutside({
        ...{ host: '127.0.0.1', port: server.port, requests, connections: CONNECTIONS },
        seconds: SECONDS,
      });
      const { mainThreadMs } = await server.measure();
      if (round > 0)
        measured[cache].push({ ...result, mainThreadUs: (mainThreadMs * 1000) / result.answers });
    }
  }
  const ratios = (of: Cache, to: Cache, by: (result: Measured) => number): readonly number[] =>
    measured[of].map((result, round) => by(result) / by(measured[to][round] ?? result));
  print(`${what}: ${requests.length} different requests, ${CONNECTIONS} connections`);
  for (const cache of ['off', 'miss', 'hit'] as const) {
    const of = measured[cache];
    printFigure(
      { off: 'no cache', miss: 'every one a miss', hit: 'every one a hit' }[cache],
      `${median(of.map(({ perSecond }) => perSecond)).toFixed(0)} requests/s, p50 ${median(of.map(({ p50Ms }) => p50Ms)).toFixed(2)} ms, ` +
        `${median(of.map(({ mainThreadUs }) => mainThreadUs)).toFixed(0)} us of the main thread a request`,
    );
  }
  const perSecond = ({ perSecond: rate }: Measured): number => rate;
  const p50 = ({ p50Ms }: Measured): number => p50Ms;
  const mainThread = ({ mainThreadUs }: Measured): number => mainThreadUs;
  printFigure('throughput, hit to no cache', spread(ratios('hit', 'off', perSecond)));
  printFigure('throughput, miss to no cache', spread(ratios('miss', 'off', perSecond)));
  printFigure('p50, hit to no cache', spread(ratios('hit', 'off', p50)));
  printFigure('main thread, hit to no cache', spread(ratios('hit', 'off', mainThread)));
}

/** What the lookup and the key of a hit cost by themselves: of processor time, without HTTP. */
async function hitByItself(rounds: number): Promise<void> {
  await using folder = await temporaryFolder({
    'digits/1/model.onnx': await readFile(join(DEMO, 'models/digits/1/model.onnx')),
    'digits/config.yaml': 'response_cache: { enable: true }\n',
  });
  const silent = (): void => undefined;
  const repository = await ModelRepository.open({
    ...{ roots: [folder.path], control: 'none', load: [] },
    cache: { store: new MemoryAnswers({ maxBytes: 64 * 1024 ** 2, ttlMs: 3_600_000 }), onResult: silent },
    events: {
      ...{ onBatch: silent, onWorkerRestart: silent, onHang: silent, onPlacement: silent, onVersion: silent },
      ...{ onKept: silent, onReplaced: silent, onLingering: silent, onFolder: silent, onWarning: silent },
    },
  });
  const version = repository.model('digits')?.version(1);
  if (version === undefined) throw new Error('the classifier is not served');
  const asked = Array.from({ length: 997 }, (_, user): InferRequest => {
    const data = Float32Array.from({ length: 64 }, (_value, at) => ((at * 7 + user) % 17) / 16 + user);
    return { inputs: [{ name: 'image', datatype: 'FP32', shape: [1, 1, 8, 8], data }], deadlineMs: Infinity };
  });
  for (const request of asked) (await version.infer(request)).release();
  const costs: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const before = process.threadCpuUsage();
    for (let repeat = 0; repeat < 50; repeat++) {
      for (const request of asked) (await version.infer(request)).release();
    }
    const { user, system } = process.threadCpuUsage(before);
    if (round > 0) costs.push((user + system) / (50 * asked.length));
  }
  await repository.close();
  print('a hit by itself, 64 numbers, in this process');
  printFigure('processor time', `${spread(costs)} us`);
}

/** How often a model runs when many ask the same at once, each time something new. */
async function singleFlight({ port }: ServerProcess): Promise<void> {
  const url = `http://127.0.0.1:${port}/v2/models/slow`;
  const runs = async (): Promise<number> => {
    const { model_stats: stats } = (await (await fetch(`${url}/stats`)).json()) as {
      readonly model_stats: readonly { readonly inference_count: number }[];
    };
    return stats[0]?.inference_count ?? 0;
  };
  const before = await runs();
  for (let wave = 0; wave < WAVES; wave++) {
    const data = Array.from({ length: SIDE * SIDE }, (_, at) => ((at + wave) % 1009) / 90_000);
    const body = JSON.stringify({
      inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, SIDE, SIDE], data }],
    });
    await Promise.all(
      Array.from({ length: CALLERS }, async () => {
        const response = await fetch(`${url}/infer`, { method: 'POST', body });
        await response.arrayBuffer();
        if (response.status !== 200) throw new Error(`an answer was ${response.status}`);
      }),
    );
  }
  print(`single flight: ${CALLERS} callers ask the same at once, ${WAVES} times`);
  printFigure('answers', String(CALLERS * WAVES));
  printFigure('runs of the model', String((await runs()) - before), String(WAVES));
}

const rounds = Number(process.argv[2] ?? 7);
const date = new Date().toISOString().slice(0, 10);
print(
  `${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}, ${date}`,
);
print(`rounds of ${SECONDS} s each, in turn: ${rounds}`);
await hitByItself(rounds);
await using hit = await startGateway('hit');
await using miss = await startGateway('miss');
await using off = await startGateway('off');
const servers = { hit: hit.server, miss: miss.server, off: off.server };
await compare('digits, v2 JSON of 64 numbers', digitRequests(), servers, rounds);
await compare('digits, uploads of a PNG', await uploads(), servers, rounds);
await compare('a model of some milliseconds, binary tensors', slowRequests(), servers, rounds);
await singleFlight(hit.server);
