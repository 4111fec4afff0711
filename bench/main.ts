/** `npm run bench`: what the gateway costs and gains, as ratios from one run. The method stands in bench/README.md. */
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { temporaryFolder } from '../test/models/temporary-folder.ts';
import { resnet18 } from './models/resnet18.ts';
import { askOnce, loadFromOutside, startServer } from './process.ts';
import type { ServerProcess } from './process.ts';
import type { ServerMeasure } from './servers/messages.ts';
import type { OfflineAnswer, OfflineQuestion } from './servers/offline-loop.ts';

const ROUNDS = Number(process.argv[2] ?? 5);
const SECONDS = 4;
const CONNECTIONS = 128;

const print = (line = ''): void => {
  process.stdout.write(`${line}\n`);
};

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function spread(values: readonly number[], digits = 2): string {
  const shown = (value: number): string => value.toFixed(digits);
  return `${shown(median(values))} (${shown(Math.min(...values))} to ${shown(Math.max(...values))})`;
}

function turn({ longestTurnMs, longestTurnByClockMs }: ServerMeasure): string {
  return `${longestTurnMs.toFixed(1)} ms of its own time (${longestTurnByClockMs.toFixed(1)} ms by the clock)`;
}

function httpRequest(path: string, headers: Readonly<Record<string, string | number>>, body: Buffer): Buffer {
  const lines = Object.entries({ ...headers, 'content-length': body.length }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  return Buffer.concat([
    Buffer.from(`POST ${path} HTTP/1.1\r\nhost: bench\r\n${lines.join('\r\n')}\r\n\r\n`),
    body,
  ]);
}

/** Requests of many users, each with a scan's worth of numbers. */
function digitRequests(): readonly Buffer[] {
  return Array.from({ length: 997 }, (_, user) => {
    const data = Array.from({ length: 64 }, (_value, index) => ((index * 7 + user) % 17) / 16);
    const inputs = [{ name: 'image', shape: [1, 1, 8, 8], datatype: 'FP32', data }];
    const headers = { 'content-type': 'application/json', 'x-user-id': `user-${user}` };
    return httpRequest('/v2/models/digits/infer', headers, Buffer.from(JSON.stringify({ inputs })));
  });
}

async function benchDigits(): Promise<void> {
  print(`digits model, v2 JSON, ${CONNECTIONS} connections, ${ROUNDS} rounds of ${SECONDS} s each, in turn`);
  const demo = fileURLToPath(new URL('../demo/', import.meta.url));
  const digits = (version: number): string => join(demo, `models/digits/${version}/model.onnx`);
  await using folder = await temporaryFolder({
    'signalbox.yaml':
      `listen: { http: 127.0.0.1:0 }\nmodels: { repository: ${join(demo, 'models')} }\n` +
      `experiments: ${join(demo, 'experiments')}\n`,
  });
  await using gateway = await startServer('./servers/gateway.ts', {
    config: join(folder.path, 'signalbox.yaml'),
  });
  await using bare = await startServer('./servers/bare-fastify.ts');
  await using inHandler = await startServer('./servers/in-handler.ts', { models: [digits(1), digits(2)] });
  const requests = digitRequests();
  const load = { host: '127.0.0.1', requests, connections: CONNECTIONS };
  const throughput = async (server: ServerProcess): Promise<number> =>
    (await loadFromOutside({ ...load, port: server.port, seconds: SECONDS })).perSecond;

  for (const server of [gateway, bare, inHandler]) await throughput(server); // Warm-up, not counted.
  await gateway.measure();
  await bare.measure();
  const rounds: { gateway: number; bare: number; inHandler: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    rounds.push({
      gateway: await throughput(gateway),
      bare: await throughput(bare),
      inHandler: await throughput(inHandler),
    });
  }
  const saturated = await gateway.measure();
  print(
    `  gateway                    ${spread(
      rounds.map((round) => round.gateway),
      0,
    )} requests/s`,
  );
  print(
    `  bare Fastify route         ${spread(
      rounds.map((round) => round.bare),
      0,
    )} requests/s`,
  );
  print(
    `  model in the handler       ${spread(
      rounds.map((round) => round.inHandler),
      0,
    )} requests/s`,
  );
  print(
    `  (a) gateway / bare         ${spread(rounds.map((round) => round.gateway / round.bare))}   asked: >= 0.70`,
  );
  print(
    `  (b) gateway / in-handler   ${spread(rounds.map((round) => round.gateway / round.inHandler))}   asked: >= 1.40`,
  );
  print(`  average batch              ${saturated.averageBatch?.toFixed(1) ?? '-'} rows`);
  print(`  longest event loop turn    ${turn(saturated)}   asked: <= 20`);
  print(`    of the bare route        ${turn(await bare.measure())}`);

  const ratePerSecond = median(rounds.map((round) => round.gateway)) / 2;
  const halfLoad = async (server: ServerProcess) =>
    loadFromOutside({ ...load, port: server.port, seconds: SECONDS, ratePerSecond });
  const latencies: { p50: number; p99: number; barePercentiles: { p50: number; p99: number } }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const here = await halfLoad(gateway);
    const there = await halfLoad(bare);
    latencies.push({
      p50: here.p50Ms,
      p99: here.p99Ms,
      barePercentiles: { p50: there.p50Ms, p99: there.p99Ms },
    });
  }
  const half = await gateway.measure();
  print(`  at half load (${ratePerSecond.toFixed(0)} requests/s, open loop), added to the bare route:`);
  print(
    `    p50                      ${spread(latencies.map((l) => l.p50 - l.barePercentiles.p50))} ms, of ${spread(latencies.map((l) => l.p50))}`,
  );
  print(
    `    p99                      ${spread(latencies.map((l) => l.p99 - l.barePercentiles.p99))} ms, of ${spread(latencies.map((l) => l.p99))}`,
  );
  print(`    average batch            ${half.averageBatch?.toFixed(1) ?? '-'} rows`);
  print(`    longest event loop turn  ${turn(half)}`);
}

async function benchResnet(): Promise<void> {
  const { model, parameters } = resnet18();
  print();
  print(
    `ResNet-18-sized graph (${(parameters / 1e6).toFixed(1)} M parameters), binary bodies, one intra-op thread, ${ROUNDS} rounds`,
  );
  await using folder = await temporaryFolder({
    'models/resnet18/1/model.onnx': model,
    'models/resnet18/config.yaml':
      'max_batch_size: 8\nparameters: { intra_op_thread_count: { string_value: "1" } }\n',
    'signalbox.yaml': 'listen: { http: 127.0.0.1:0 }\nmodels: { repository: ./models }\n',
  });
  const shape = [3, 224, 224];
  const data = Float32Array.from({ length: 3 * 224 * 224 }, (_, index) => Math.sin(index));
  const json = Buffer.from(
    JSON.stringify({
      inputs: [
        {
          name: 'image',
          shape: [1, ...shape],
          datatype: 'FP32',
          parameters: { binary_data_size: data.byteLength },
        },
      ],
      parameters: { binary_data_output: true },
    }),
  );
  const request = httpRequest(
    '/v2/models/resnet18/infer',
    { 'inference-header-content-length': json.length },
    Buffer.concat([json, Buffer.from(data.buffer)]),
  );
  const question: OfflineQuestion = {
    model: join(folder.path, 'models/resnet18/1/model.onnx'),
    batchSizes: [1, 2, 4, 8],
    shape,
    secondsEach: SECONDS,
  };
  await using gateway = await startServer('./servers/gateway.ts', {
    config: join(folder.path, 'signalbox.yaml'),
  });
  const load = { host: '127.0.0.1', port: gateway.port, requests: [request], connections: 16 };
  await loadFromOutside({ ...load, seconds: SECONDS });
  await gateway.measure();
  const rounds: { gateway: number; offline: OfflineAnswer }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const { perSecond } = await loadFromOutside({ ...load, seconds: SECONDS * 2 });
    rounds.push({ gateway: perSecond, offline: await askOnce('./servers/offline-loop.ts', question) });
  }
  const measured = await gateway.measure();
  print(
    `  gateway                    ${spread(
      rounds.map((round) => round.gateway),
      1,
    )} images/s`,
  );
  print(
    `  best offline loop          ${spread(
      rounds.map((round) => round.offline.rowsPerSecond),
      1,
    )} images/s`,
  );
  print(
    `  (c) gateway / offline      ${spread(rounds.map((round) => round.gateway / round.offline.rowsPerSecond))}   asked: >= 0.90`,
  );
  print(`  average batch              ${measured.averageBatch?.toFixed(1) ?? '-'} rows`);
  print(`  longest event loop turn    ${turn(measured)}   asked: <= 20`);
}

print(`${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}`);
print();
await benchDigits();
await benchResnet();
