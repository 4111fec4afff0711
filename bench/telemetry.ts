/** `npm run bench:telemetry [-- ROUNDS]`: what it costs to be seen. bench/README.md has the method. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { temporaryFolder } from '../test/models/temporary-folder.ts';
import { CONNECTIONS, DEMO, WARM_UP_SECONDS, digitRequests } from './digits.ts';
import { loadFromOutside, startServer } from './process.ts';
import type { ServerProcess } from './process.ts';
import type { GatewayPorts } from './servers/messages.ts';
import { print, printFigure, spread } from './report.ts';

/** A figure is the mean of that many seconds, each beside one of every other contender: a shared machine changes within seconds. */
const SLICES = 10;

/** One second in so many has a scrape, as the Prometheus of `deploy/compose` makes it, which is three times as often as most. */
const SCRAPE_EVERY = 5;

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
  // What it differs by is chance.
  { name: 'all off, once more', metrics: false, logs: false, traces: false },
  { name: 'metrics', metrics: true, logs: false, traces: false },
  { name: 'a line for each request', metrics: false, logs: true, traces: false },
  { name: 'traces of 1 %', metrics: false, logs: false, traces: true, asked: 0.97 },
  { name: 'all of it', metrics: true, logs: true, traces: true, asked: 0.92 },
];

const rounds = Number(process.argv[2] ?? 5);

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

/** All of them in one process: how one fares is partly luck, and what runs at each request is compiled for all of them alike. */
function startContenders(): Promise<ServerProcess> {
  return startServer('./servers/gateways.ts', {
    gateways: CONTENDERS.map(({ metrics, logs }, index) => ({
      config: join(folder.path, `${index}.yaml`),
      ...(logs && { logFile: join(folder.path, `${index}.log`) }),
      ...(!metrics && { uncounted: true }),
    })),
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

function load({ port }: GatewayPorts, seconds: number): ReturnType<typeof loadFromOutside> {
  return loadFromOutside({ host: '127.0.0.1', port, requests, connections: CONNECTIONS, seconds });
}

async function measureRound(): Promise<void> {
  await using server = await startContenders();
  const contenders = CONTENDERS.map((contender, index) => {
    const at = server.gateways?.[index];
    if (at === undefined) throw new Error(`the gateway '${contender.name}' did not start`);
    return { contender, at, answers: 0, seconds: 0, mainThreadMs: 0 };
  });
  for (const { contender, at } of contenders)
    await Promise.all([load(at, WARM_UP_SECONDS / 2), contender.metrics && scrape(at)]);
  for (let slice = 0; slice < SLICES; slice += 1) {
    // Each comes after every other one: the first after a pause may fare otherwise than the last.
    const first = slice % contenders.length;
    for (const measured of [...contenders.slice(first), ...contenders.slice(0, first)]) {
      const { contender, at } = measured;
      await server.measure();
      const isScraped = contender.metrics && slice % SCRAPE_EVERY === 0;
      const [{ answers, perSecond }] = await Promise.all([load(at, 1), isScraped && scrape(at)]);
      const { mainThreadMs } = await server.measure();
      measured.answers += answers;
      measured.seconds += answers / perSecond;
      measured.mainThreadMs += mainThreadMs;
    }
  }
  for (const { contender, answers, seconds, mainThreadMs } of contenders) {
    figures.get(contender)?.perSecond.push(answers / seconds);
    figures.get(contender)?.mainThreadUs.push((mainThreadMs * 1000) / answers);
  }
}

async function scrape({ metricsPort }: GatewayPorts): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${metricsPort}/metrics`, {
    headers: { accept: 'application/openmetrics-text' },
  });
  await answer.arrayBuffer();
}

print(`${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}`);
print(
  `digits model, v2 JSON, ${CONNECTIONS} connections, ${rounds} rounds of ${SLICES} s each, second by second in turn, in one process, a new one each round`,
);
for (let round = 0; round < rounds; round++) await measureRound();
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
