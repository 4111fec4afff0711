/** `npm run bench:overload [-- SECONDS ROUNDS]`: goodput and latency from half to ten times the capacity. bench/README.md has the method. */
import { cpus } from 'node:os';
import { join } from 'node:path';
import { slowModel } from '../../test/models/small-models.ts';
import { temporaryFolder } from '../../test/models/temporary-folder.ts';
import { httpRequest } from '../load/http-request.ts';
import { askOnce, startServer } from '../process.ts';
import type { ServerProcess } from '../process.ts';
import { median, print, spread } from '../report.ts';
import type { Burn } from './burner-process.ts';
import type { OpenLoad, OpenLoadResult } from './open-load.ts';

const seconds = Number(process.argv[2] ?? 15);
const rounds = Number(process.argv[3] ?? 3);

/** A row of the model, 48 x 48 numbers, costs some milliseconds of one thread, whatever the batch. */
const SIZE = 48;
const PRODUCTS = 1500;

/** Callers give up after that. */
const PATIENCE_MS = 1000;

const BODY_HEAD = Buffer.from(
  JSON.stringify({
    inputs: [
      {
        name: 'INPUT',
        shape: [1, SIZE, SIZE],
        datatype: 'FP32',
        parameters: { binary_data_size: SIZE * SIZE * 4 },
      },
    ],
    parameters: { binary_data_output: true },
  }),
);
const body = Buffer.concat([BODY_HEAD, Buffer.alloc(SIZE * SIZE * 4)]);
const request = httpRequest(
  '/v2/models/benched/infer',
  { 'inference-header-content-length': BODY_HEAD.length },
  body,
);

/** How many times the capacity is sent. */
const LOADS = [0.5, 0.8, 1, 2, 5, 10] as const;

/** What a load came to, with the processor time that it took on both sides, as a share of one core. */
interface Taken extends OpenLoadResult {
  readonly loadShare: number;
  readonly mainThreadShare: number;
}

type Round = ReadonlyMap<string, Taken>;

class OverloadBench {
  readonly #server: ServerProcess;

  constructor(server: ServerProcess) {
    this.#server = server;
  }

  /** Half as much again as the last rate that was all answered, until no more comes back. */
  async capacity(): Promise<number> {
    let capacity = 0;
    for (let rate = 8; ; rate *= 1.5) {
      const { goodPerSecond } = await this.#load(rate, Math.min(5, seconds));
      const isMore = goodPerSecond > capacity * 1.05;
      capacity = Math.max(capacity, goodPerSecond);
      if (!isMore) return capacity;
    }
  }

  async round(capacity: number): Promise<Round> {
    const taken = new Map<string, Taken>();
    for (const times of LOADS) taken.set(`${times}x`, await this.#load(capacity * times));
    const [ofTwo, ofTen] = [taken.get('2x'), taken.get('10x')];
    if (ofTwo === undefined || ofTen === undefined) throw new Error('the loads of 2x and 10x are missing');
    // The same hunger as that of 10x, without a request more than 2x has.
    const share = Math.max(0, ofTen.loadShare - ofTwo.loadShare);
    const [probed] = await Promise.all([
      this.#load(capacity * 2),
      askOnce<null>('./overload/burner-process.ts', { share, seconds } satisfies Burn),
    ]);
    return taken.set(PROBE, probed);
  }

  async #load(ratePerSecond: number, forSeconds = seconds): Promise<Taken> {
    await this.#server.measure();
    const load = {
      port: this.#server.port,
      request,
      ratePerSecond,
      seconds: forSeconds,
      patienceMs: PATIENCE_MS,
    };
    const result = await askOnce<OpenLoadResult>('./overload/open-load-process.ts', load satisfies OpenLoad);
    const { mainThreadMs } = await this.#server.measure();
    return {
      ...result,
      loadShare: result.processorMs / 1000 / forSeconds,
      mainThreadShare: mainThreadMs / 1000 / forSeconds,
    };
  }
}

/** Twice the capacity, beside a process that burns what the load of 10x burns more than that of 2x. */
const PROBE = '2x, hungry';

/** @param shedding lines of `limits.shedding` */
async function measure(what: string, shedding: string): Promise<void> {
  await using folder = await temporaryFolder({
    'models/benched/1/model.onnx': slowModel(SIZE, PRODUCTS),
    'models/benched/config.yaml':
      'max_batch_size: 4\ninstance_group: [{ count: 1, kind: KIND_CPU }]\ndynamic_batching: {}\n',
    'signalbox.yaml':
      'listen: { http: 127.0.0.1:0 }\nmodels: { repository: ./models }\n' +
      `limits: { shedding: ${shedding} }\ntimeouts: { inference: ${PATIENCE_MS}ms, run: 30s }\n`,
  });
  await using server = await startServer('./servers/gateway.ts', {
    config: join(folder.path, 'signalbox.yaml'),
  });
  const bench = new OverloadBench(server);
  const capacity = await bench.capacity();
  print(`${what}: capacity ${capacity.toFixed(0)} requests a second; medians of ${rounds} rounds`);
  const taken: Round[] = [];
  for (let index = 0; index < rounds; index++) taken.push(await bench.round(capacity));
  print(
    '  load          sent/s  good/s  of peak (lowest to highest)  p50 ms  p99 ms  refused/s  p99 ms  given up/s  sent late  load  main thread',
  );
  for (const load of [...LOADS.map((times) => `${times}x`), PROBE]) printRow(load, taken);
  const ofProbe = taken.map((round) => ratio(round, '10x', goodOf(round, PROBE)));
  print(`  10x of what the hungry 2x has: ${range(ofProbe)}`);
  // Without shedding nearly all is given up, and little refused.
  if (taken.some((round) => refusedIn(resultOf(round, '10x')) < resultOf(round, '10x').sent / 2)) return;
  const costs = taken.map((round) => refusalUs(round, ({ mainThreadShare }) => mainThreadShare));
  const ofLoad = taken.map((round) => refusalUs(round, ({ loadShare }) => loadShare));
  print(
    `  a refusal takes ${spread(costs, 0)} us of the main thread, and ${spread(ofLoad, 0)} us of the load`,
  );
}

/** Processor time that each further refusal takes, from 2x to 10x. */
function refusalUs(round: Round, shareOf: (result: Taken) => number): number {
  const [two, ten] = [resultOf(round, '2x'), resultOf(round, '10x')];
  return ((shareOf(ten) - shareOf(two)) * seconds * 1e6) / (refusedIn(ten) - refusedIn(two));
}

function refusedIn({ refused }: Taken): number {
  return Object.values(refused).reduce((sum, count) => sum + count, 0);
}

function printRow(load: string, taken: readonly Round[]): void {
  const of = (read: (result: Taken) => number): number =>
    median(taken.map((round) => read(resultOf(round, load))));
  const ofPeak = taken.map((round) => ratio(round, load, peakOf(round)));
  const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
  const refused = of(refusedIn);
  const cells = [
    load.padStart(12),
    of(({ sent }) => sent / seconds)
      .toFixed(0)
      .padStart(8),
    of(({ goodPerSecond }) => goodPerSecond)
      .toFixed(0)
      .padStart(7),
    range(ofPeak).padStart(28),
    of(({ p50Ms }) => p50Ms)
      .toFixed(0)
      .padStart(7),
    of(({ p99Ms }) => p99Ms)
      .toFixed(0)
      .padStart(7),
    (refused / seconds).toFixed(0).padStart(10),
    of(({ refusedP99Ms }) => refusedP99Ms)
      .toFixed(0)
      .padStart(7),
    of(({ late, failed }) => (late + failed) / seconds)
      .toFixed(1)
      .padStart(11),
    `${(100 * of(({ sentLate, sent }) => sentLate / sent)).toFixed(1)} %`.padStart(10),
    percent(of(({ loadShare }) => loadShare)).padStart(6),
    percent(of(({ mainThreadShare }) => mainThreadShare)).padStart(12),
  ];
  print(cells.join(' '));
}

function resultOf(round: Round, load: string): Taken {
  const result = round.get(load);
  if (result === undefined) throw new Error(`the load of ${load} is missing`);
  return result;
}

function goodOf(round: Round, load: string): number {
  return resultOf(round, load).goodPerSecond;
}

/** The most that came back in a round, whatever was sent. */
function peakOf(round: Round): number {
  return Math.max(...LOADS.map((times) => goodOf(round, `${times}x`)));
}

function ratio(round: Round, load: string, of: number): number {
  return goodOf(round, load) / of;
}

function range(shares: readonly number[]): string {
  const percent = (share: number): string => (100 * share).toFixed(0);
  return `${percent(median(shares))} % (${percent(Math.min(...shares))} to ${percent(Math.max(...shares))})`;
}

const date = new Date().toISOString().slice(0, 10);
print(`${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}, ${date}`);
print(`${seconds} s for each load; callers give up after ${PATIENCE_MS} ms`);
print();
await measure('shedding from an expected wait of 250 ms', '{ wait: 250ms }');
print();
await measure('no shedding', '{ wait: 24h, eventLoopDelay: 24h }');
