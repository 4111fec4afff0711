/** `npm run bench:telemetry [-- ROUNDS]`: what it costs to be seen. bench/README.md has the method. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { temporaryFolder } from '../test/models/temporary-folder.ts';
import { CONNECTIONS, DEMO, digitRequests } from './digits.ts';
import { loadFromOutside, startServer } from './process.ts';
import type { ServerProcess } from './process.ts';
import { print, printFigure, spread } from './report.ts';

/** As often as the Prometheus of `deploy/compose` does, which is three times as often as most. */
const SCRAPE_EVERY_MS = 5000;

/** A figure's seconds: one scrape falls into them, half-way. */
const MEASURED_SECONDS = SCRAPE_EVERY_MS / 1000;
const WARM_UP_SECONDS = 2;

/** What is on, beside the gateway itself. */
interface Telemetry {
  readonly name: string;
  /** Requests and batches are counted, and scraped. */
  readonly metrics: boolean;
  /** Every request has a line in the log. */
  readonly logs: boolean;
  /** One request in a hundred has its spans delivered. */
  readonly traces: boolean;
  /** The least share of the throughput of none that was asked for. */
  readonly asked?: number;
}

const NONE: Telemetry = { name: 'all off', metrics: false, logs: false, traces: false };
const CONTENDERS: readonly Telemetry[] = [
  NONE,
  { name: 'metrics', metrics: true, logs: false, traces: false },
  { name: 'a line for each request', metrics: false, logs: true, traces: false },
  { name: 'traces of 1 %', metrics: false, logs: false, traces: true, asked: 0.97 },
  { name: 'all of it', metrics: true, logs: true, traces: true, asked: 0.92 },
];

const rounds = Number(process.argv[2] ?? 11);

/** Takes spans and does nothing with them: a collector has a machine of its own. */
const collector = createServer((request, reply) => {
  request.resume().once('end', () => {
    reply.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  });
}).listen(0, '127.0.0.1');
await once(collector, 'listening');
const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;

function configOf({ logs, traces }: Telemetry): string {
  const tracing = traces ? `, otlp: { endpoint: "${endpoint}" }, sampleRatio: 0.01` : '';
  return (
    'listen: { http: 127.0.0.1:0, metrics: 127.0.0.1:0 }\n' +
    `models: { repository: ${join(DEMO, 'models')} }\n` +
    `experiments: ${join(DEMO, 'experiments')}\n` +
    `telemetry: { logs: { level: info, access: ${logs ? 1 : 0} }${tracing} }\n`
  );
}

await using folder = await temporaryFolder(
  Object.fromEntries(CONTENDERS.map((contender, index) => [`${index}.yaml`, configOf(contender)])),
);

/** A process of its own for each figure: how a process fares is partly luck, which would stay with it for all rounds. */
function startContender(contender: Telemetry): Promise<ServerProcess> {
  const { metrics, logs } = contender;
  const index = CONTENDERS.indexOf(contender);
  return startServer('./servers/gateway.ts', {
    config: join(folder.path, `${index}.yaml`),
    ...(logs && { logFile: join(folder.path, `${index}.log`) }),
    ...(!metrics && { uncounted: true }),
  });
}

interface Figures {
  readonly perSecond: number[];
  /** Processor time of the server's main thread for each request, in microseconds. */
  readonly mainThreadUs: number[];
}
const figures = new Map<Telemetry, Figures>(
  CONTENDERS.map((contender) => [contender, { perSecond: [], mainThreadUs: [] }]),
);
const requests = digitRequests();

function load({ port }: ServerProcess, seconds: number): ReturnType<typeof loadFromOutside> {
  return loadFromOutside({ host: '127.0.0.1', port, requests, connections: CONNECTIONS, seconds });
}

async function measure(contender: Telemetry): Promise<readonly [number, number]> {
  await using server = await startContender(contender);
  const scrape = (): void => {
    void fetch(`http://127.0.0.1:${server.metricsPort ?? 0}/metrics`, {
      headers: { accept: 'application/openmetrics-text' },
    }).then((answer) => answer.arrayBuffer());
  };
  await load(server, WARM_UP_SECONDS);
  await server.measure();
  const timer = contender.metrics ? setTimeout(scrape, SCRAPE_EVERY_MS / 2) : undefined;
  const { answers, perSecond } = await load(server, MEASURED_SECONDS);
  clearTimeout(timer);
  const { mainThreadMs } = await server.measure();
  return [perSecond, (mainThreadMs * 1000) / answers];
}

print(`${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}`);
print(
  `digits model, v2 JSON, ${CONNECTIONS} connections, ${rounds} rounds of ${MEASURED_SECONDS} s each, in turn, each in a process of its own`,
);
for (let round = 0; round < rounds; round++) {
  // What is measured first in a round is another one each time.
  for (const index of CONTENDERS.keys()) {
    const contender = CONTENDERS[(index + round) % CONTENDERS.length] ?? NONE;
    const [perSecond, mainThreadUs] = await measure(contender);
    figures.get(contender)?.perSecond.push(perSecond);
    figures.get(contender)?.mainThreadUs.push(mainThreadUs);
  }
}
collector.closeAllConnections();
collector.close();

const none = figures.get(NONE);
for (const [{ name, asked }, { perSecond, mainThreadUs }] of figures) {
  printFigure(
    name,
    `${spread(perSecond, 0)} requests/s, ${spread(mainThreadUs, 0)} us of its main thread each`,
  );
  if (none === undefined || none.perSecond === perSecond) continue;
  const shares = perSecond.map((value, round) => value / (none.perSecond[round] ?? Number.NaN));
  const byTime = mainThreadUs.map((value, round) => (none.mainThreadUs[round] ?? Number.NaN) / value);
  printFigure('  of the throughput of none', spread(shares), asked === undefined ? '' : `>= ${asked}`);
  printFigure('  by processor time', spread(byTime));
}
