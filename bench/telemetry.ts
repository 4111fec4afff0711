/** `npm run bench:telemetry [-- ROUNDS]`: what it costs to be seen. bench/README.md has the method. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { temporaryFolder } from '../test/models/temporary-folder.ts';
import { CONNECTIONS, DEMO, SECONDS, digitRequests } from './digits.ts';
import { loadFromOutside, startServer } from './process.ts';
import type { ServerProcess } from './process.ts';
import { print, printFigure, spread } from './report.ts';

/** Far more often than a Prometheus does, so that each round has one. */
const SCRAPE_EVERY_MS = 500;

/** What is on, beside the gateway itself. */
interface Telemetry {
  readonly name: string;
  /** Requests and batches are counted, and scraped twice a second. */
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

const rounds = Number(process.argv[2] ?? 25);

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
const servers = await Promise.all(
  CONTENDERS.map(({ metrics, logs }, index) =>
    startServer('./servers/gateway.ts', {
      config: join(folder.path, `${index}.yaml`),
      ...(logs && { logFile: join(folder.path, `${index}.log`) }),
      ...(!metrics && { uncounted: true }),
    }),
  ),
);

interface Figures {
  readonly perSecond: number[];
  /** Processor time of the server's main thread for each request, in microseconds. */
  readonly mainThreadUs: number[];
}
const figures = new Map<Telemetry, Figures>(
  CONTENDERS.map((contender) => [contender, { perSecond: [], mainThreadUs: [] }]),
);
const requests = digitRequests();

async function measure({ metrics }: Telemetry, server: ServerProcess): Promise<readonly [number, number]> {
  const scrape = (): void => {
    void fetch(`http://127.0.0.1:${server.metricsPort ?? 0}/metrics`, {
      headers: { accept: 'application/openmetrics-text' },
    }).then((answer) => answer.arrayBuffer());
  };
  await server.measure();
  const timer = metrics ? setInterval(scrape, SCRAPE_EVERY_MS) : undefined;
  const { port } = server;
  const { answers, perSecond } = await loadFromOutside({
    host: '127.0.0.1',
    port,
    requests,
    connections: CONNECTIONS,
    seconds: SECONDS,
  });
  clearInterval(timer);
  const { mainThreadMs } = await server.measure();
  return [perSecond, (mainThreadMs * 1000) / answers];
}

print(`${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}`);
print(`digits model, v2 JSON, ${CONNECTIONS} connections, ${rounds} rounds of ${SECONDS} s each, in turn`);
// The first round warms up, and is not counted.
for (let round = 0; round <= rounds; round++) {
  for (const [index, contender] of CONTENDERS.entries()) {
    const server = servers[index];
    if (server === undefined) continue;
    const [perSecond, mainThreadUs] = await measure(contender, server);
    if (round === 0) continue;
    figures.get(contender)?.perSecond.push(perSecond);
    figures.get(contender)?.mainThreadUs.push(mainThreadUs);
  }
}
await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
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
