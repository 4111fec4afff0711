/** `npm run bench:parts [-- ROUNDS]`: what the steps of a request cost the main thread. bench/README.md has the method. */
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import type { InferAnswer } from '../backends/inference.ts';
import { loadConfig } from '../gateway/config/load-config.ts';
import { openGateway } from '../gateway/open-gateway.ts';
import { PredictionLog } from '../gateway/pipeline/prediction-log.ts';
import { measuredRun } from '../gateway/pipeline/run-times.ts';
import { Router } from '../gateway/pipeline/route.ts';
import type { Call, Target } from '../gateway/pipeline/call.ts';
import { createKey } from '../gateway/trust/api-key.ts';
import { ANYBODY } from '../gateway/trust/principal.ts';
import { temporaryFolder } from '../test/models/temporary-folder.ts';
import { median, print, printFigure, spread } from './report.ts';
import { printSharedLimits } from './shared-limits.ts';

const REQUESTS_A_ROUND = 20_000;
/** Requests between two turns of the event loop, as a busy loop brings them. */
const REQUESTS_A_TURN = 50;
const USERS = 5000;
const KEYS = 1000;

const DEMO = fileURLToPath(new URL('../demo/', import.meta.url));

/** What a part cost each round: by the clock the median request, and of the thread's processor time the mean. */
interface Cost {
  readonly p50Us: number[];
  readonly cpuUs: number[];
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** @param after what was put off until after the requests, which costs processor time all the same */
async function measure(
  rounds: number,
  step: (request: number) => void,
  after: () => Promise<unknown> = turn,
): Promise<Cost> {
  const cost: Cost = { p50Us: [], cpuUs: [] };
  const times = new Float64Array(REQUESTS_A_ROUND);
  // The first round warms up, and is not counted.
  for (let round = 0; round <= rounds; round++) {
    const before = process.threadCpuUsage();
    for (let request = 0; request < REQUESTS_A_ROUND; request++) {
      const startMs = performance.now();
      step(request);
      times[request] = performance.now() - startMs;
      if (request % REQUESTS_A_TURN === 0) await turn();
    }
    await after();
    const { user, system } = process.threadCpuUsage(before);
    if (round === 0) continue;
    cost.cpuUs.push((user + system) / REQUESTS_A_ROUND);
    cost.p50Us.push(median([...times]) * 1000);
  }
  return cost;
}

function printCost(what: string, { p50Us, cpuUs }: Cost, asked = ''): void {
  printFigure(what, `p50 ${spread(p50Us)} us, processor time ${spread(cpuUs)} us`, asked);
}

function sumOf(costs: readonly Cost[]): Cost {
  const add = (of: (cost: Cost) => readonly number[]): number[] =>
    costs
      .map(of)
      .reduce<number[]>((sums, values) => values.map((value, round) => value + (sums[round] ?? 0)), []);
  return { p50Us: add(({ p50Us }) => p50Us), cpuUs: add(({ cpuUs }) => cpuUs) };
}

const rounds = Number(process.argv[2] ?? 7);
const date = new Date().toISOString().slice(0, 10);
print(`${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}, ${date}`);
print(`parts of a request on the main thread, ${rounds} rounds of ${REQUESTS_A_ROUND} requests each`);

const keys = Array.from({ length: KEYS }, () => createKey());
const entries = keys.map(
  ({ id, hash }) => `  - { id: "${id}", hash: "${hash}", scopes: [infer], rate: 1000000/s }`,
);
await using folder = await temporaryFolder({
  'keys.yaml': `keys:\n${entries.join('\n')}\n`,
  'signalbox.yaml': [
    'listen: { http: 127.0.0.1:0 }',
    `models: { repository: ${join(DEMO, 'models')} }`,
    `experiments: ${join(DEMO, 'experiments')}`,
    'state: sqlite:./state.db',
    'auth: { keys: ./keys.yaml }',
    'limits: { models: { digits: 10000000/s }, experiments: { digits-cnn: 10000000/s } }',
    'telemetry: { events: { file: exposures.jsonl } }',
  ].join('\n'),
});
const log = pino({ level: 'warn' }, pino.destination(2));
const gateway = await openGateway(await loadConfig(join(folder.path, 'signalbox.yaml'), process.env), log);

const router = new Router(
  gateway.repository,
  () => gateway.experiments.current,
  gateway.deciding,
  gateway.upstreams,
);
const predictions = new PredictionLog(gateway.state.ids, gateway.state.exposures, Date.now);
const { signal } = new AbortController();
const calls = Array.from({ length: USERS }, (_, user): Call => {
  const headers: Readonly<Record<string, string>> = { 'x-user-id': `user-${user}` };
  return {
    protocol: 'http',
    answerableBy: ['v2'],
    model: 'digits',
    version: undefined,
    header: (name) => headers[name],
    principal: ANYBODY,
    arrivalMs: 0,
    receivedMs: 0,
    signal,
  };
});
function of<Item>(items: readonly Item[], request: number): Item {
  const item = items[request % items.length];
  if (item === undefined) throw new Error('there are none');
  return item;
}
const answer: Omit<InferAnswer, 'batchId'> = {
  outputs: [],
  queueMs: 0.412,
  computeMs: 0.267,
  batchRows: 8,
  release: () => undefined,
};

const routing = await measure(rounds, (request) => {
  router.route(of(calls, request)).release();
});
const routed: Target[] = calls.map((call) => router.route(call));
const ids: string[] = [];
const exposing = await measure(
  rounds,
  (request) => {
    const target = of(routed, request);
    const prediction = predictions.begin(target);
    const batchId = 1 + Math.floor(request / answer.batchRows);
    const times = { ...answer, batchId };
    const run = measuredRun(target, times);
    predictions.end(prediction, target, { outcome: 'ok', bearing: 'ok' }, 1.234, times, run, '');
    ids[request] = prediction.id;
  },
  () => gateway.state.exposures.flush(),
);
const counting = await measure(rounds, (request) => {
  const target = of(routed, request);
  gateway.metrics.recordRequest({
    route: target.labels,
    reason: 'split',
    outcome: 'ok',
    protocol: 'http',
    totalMs: 1.234,
    routeMs: 0.012,
    queueMs: answer.queueMs,
    computeMs: answer.computeMs,
    traceId: undefined,
  });
});
let taking: Promise<unknown>[] = [];
const outcomes = await measure(
  rounds,
  (request) => {
    const sent = { prediction_id: of(ids, request), metric: 'correct', value: request % 10 > 0 };
    taking.push(gateway.state.outcomes.take([sent], ANYBODY));
  },
  async () => {
    await Promise.all(taking);
    taking = [];
  },
);
for (const target of routed) target.release();

print();
printCost('routing', routing);
printCost('exposure, with its signed id', exposing);
printCost('metrics', counting);
printCost('together', sumOf([routing, exposing, counting]), '<= 15 at p50');
printCost('an outcome', outcomes);

const heads = keys.map(({ text }) => ({
  header: (name: string) => (name === 'authorization' ? `Bearer ${text}` : undefined),
  address: '127.0.0.1',
  model: 'digits',
}));
const admitting = await measure(rounds, (request) => {
  const admitted = gateway.door.admission.admit(of(heads, request), 'infer', 'http', 'rows');
  if (admitted instanceof Promise) throw new Error('a key is checked at once');
  const taken = gateway.door.limits.take(admitted.principal, 'digits', 'digits-cnn', 1);
  if (taken instanceof Promise) throw new Error('limits in memory are known at once');
});
print();
printCost('key and three limits in memory', admitting, '<= 10');
await gateway.close();
await printSharedLimits(rounds);
