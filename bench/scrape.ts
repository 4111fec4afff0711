/** `npm run bench:scrape [-- SCRAPES]`: how long a scrape of many variants takes. bench/README.md has the method. */
import { cpus } from 'node:os';
import { join } from 'node:path';
import { temporaryFolder } from '../test/models/temporary-folder.ts';
import { DEMO, digitRequests } from './digits.ts';
import { loadFromOutside, startServer } from './process.ts';
import { print, printFigure, spread } from './report.ts';

const VARIANTS = 100;
const LOADED_SECONDS = 5;

const scrapes = Number(process.argv[2] ?? 100);
const variants = Array.from({ length: VARIANTS }, (_, index) => ({
  name: `v${index}`,
  version: 1 + (index % 2),
  weight: 1,
}));

await using folder = await temporaryFolder({
  'signalbox.yaml':
    'listen: { http: 127.0.0.1:0, metrics: 127.0.0.1:0 }\n' +
    `models: { repository: ${join(DEMO, 'models')} }\nexperiments: ./experiments\n`,
  // JSON is YAML.
  'experiments/many.yaml': JSON.stringify({
    key: 'many',
    model: 'digits',
    status: 'running',
    hashAttribute: 'x-user-id',
    control: 'v0',
    variants,
  }),
});
await using gateway = await startServer('./servers/gateway.ts', {
  config: join(folder.path, 'signalbox.yaml'),
});
await loadFromOutside({
  host: '127.0.0.1',
  port: gateway.port,
  requests: digitRequests(),
  connections: 16,
  seconds: LOADED_SECONDS,
});

const timesMs: number[] = [];
let text = '';
for (let scrape = 0; scrape < scrapes; scrape++) {
  const startMs = performance.now();
  text = await (await fetch(`http://127.0.0.1:${gateway.metricsPort ?? 0}/metrics`)).text();
  timesMs.push(performance.now() - startMs);
}
const seen = new Set(
  text
    .match(/^signalbox_requests_total\{.*variant="[^"]+"/gm)
    ?.map((line) => /variant="([^"]+)"/.exec(line)?.[1]),
);
print(`${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}`);
print(`${scrapes} scrapes, ${seen.size} variants that had requests, ${text.split('\n').length} lines`);
printFigure('a scrape over HTTP', `${spread(timesMs, 1)} ms`, '< 20');
