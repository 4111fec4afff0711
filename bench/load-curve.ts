/** `npm run bench:load-curve [-- SECONDS]`: what an autoscaler sees of one replica, from a fifth of its capacity to all of it. bench/README.md has the method. */
import { cpus } from 'node:os';
import { join } from 'node:path';
import { slowModel } from '../test/models/small-models.ts';
import { temporaryFolder } from '../test/models/temporary-folder.ts';
import { httpRequest } from './load/http-request.ts';
import { WIDTH, weightBoundModel } from './models/weight-bound.ts';
import type { OpenLoad, OpenLoadResult } from './overload/open-load.ts';
import { askOnce, loadFromOutside, startServer } from './process.ts';
import type { ServerProcess } from './process.ts';
import { print } from './report.ts';

const seconds = Number(process.argv[2] ?? 20);

const LOADS = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];
const PATIENCE_MS = 5000;

/** The delay that docs/kubernetes.md takes for its example. */
const DELAY_US = 2500;

interface Contender {
  readonly what: string;
  readonly model: Uint8Array;
  /** Of one row. */
  readonly shape: readonly number[];
  readonly maxBatch: number;
}

const CONTENDERS: readonly Contender[] = [
  {
    what: 'each row costs the same: a model on the CPU',
    model: slowModel(48, 1500),
    shape: [48, 48],
    maxBatch: 4,
  },
  {
    what: 'further rows of a batch cost little: as on a GPU',
    model: weightBoundModel(),
    shape: [WIDTH],
    maxBatch: 32,
  },
];

/** Sums of the gateway's own metrics. */
interface Sums {
  readonly queueS: number;
  readonly computeS: number;
  readonly requests: number;
  readonly rows: number;
  readonly batches: number;
  readonly processorS: number;
}

async function sumsOf({ metricsPort = 0 }: ServerProcess): Promise<Sums> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const sum = (name: string): number =>
    [...text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'))].reduce(
      (total, [, value]) => total + Number(value),
      0,
    );
  return {
    queueS: sum('signalbox_queue_duration_seconds_sum'),
    computeS: sum('signalbox_compute_duration_seconds_sum'),
    requests: sum('signalbox_queue_duration_seconds_count'),
    rows: sum('signalbox_batch_size_sum'),
    batches: sum('signalbox_batch_size_count'),
    processorS: sum('process_cpu_seconds_total'),
  };
}

function requestOf(shape: readonly number[]): Buffer {
  const bytes = shape.reduce((product, size) => product * size, 4);
  const head = Buffer.from(
    JSON.stringify({
      inputs: [
        {
          name: 'INPUT',
          shape: [1, ...shape],
          datatype: 'FP32',
          parameters: { binary_data_size: bytes },
        },
      ],
      parameters: { binary_data_output: true },
    }),
  );
  return httpRequest(
    '/v2/models/benched/infer',
    { 'inference-header-content-length': head.length },
    Buffer.concat([head, Buffer.alloc(bytes)]),
  );
}

async function measure({ what, model, shape, maxBatch }: Contender): Promise<void> {
  await using folder = await temporaryFolder({
    'models/benched/1/model.onnx': model,
    'models/benched/config.yaml':
      `max_batch_size: ${maxBatch}\ninstance_group: [{ count: 1, kind: KIND_CPU }]\n` +
      `dynamic_batching: { max_queue_delay_microseconds: ${DELAY_US} }\n` +
      'parameters: { intra_op_thread_count: { string_value: "1" } }\n',
    'signalbox.yaml':
      'listen: { http: 127.0.0.1:0, metrics: 127.0.0.1:0 }\nmodels: { repository: ./models }\n' +
      `timeouts: { inference: ${PATIENCE_MS}ms, run: 30s }\n`,
  });
  await using server = await startServer('./servers/gateway.ts', {
    config: join(folder.path, 'signalbox.yaml'),
  });
  const request = requestOf(shape);
  const closed = { host: '127.0.0.1', port: server.port, requests: [request], connections: 64 };
  await loadFromOutside({ ...closed, seconds: 3 });
  const { perSecond: capacity } = await loadFromOutside({ ...closed, seconds: Math.min(10, seconds) });
  print(`${what}; at most ${maxBatch} rows a batch, capacity ${capacity.toFixed(0)} requests a second`);
  print('  load  queue, mean  compute, mean  rows a batch     p50     p99  processor');
  for (const load of LOADS) {
    const before = await sumsOf(server);
    const job = {
      ...{ port: server.port, request, ratePerSecond: capacity * load },
      ...{ seconds, patienceMs: PATIENCE_MS, arrivals: 'random' },
    } satisfies OpenLoad;
    const { p50Ms, p99Ms } = await askOnce<OpenLoadResult>('./overload/open-load-process.ts', job);
    const after = await sumsOf(server);
    const of = (name: keyof Sums): number => after[name] - before[name];
    const cells = [
      `${(100 * load).toFixed(0)} %`.padStart(6),
      `${((1000 * of('queueS')) / of('requests')).toFixed(1)} ms`.padStart(12),
      `${((1000 * of('computeS')) / of('requests')).toFixed(1)} ms`.padStart(14),
      (of('rows') / of('batches')).toFixed(1).padStart(13),
      `${p50Ms.toFixed(0)} ms`.padStart(7),
      `${p99Ms.toFixed(0)} ms`.padStart(7),
      `${((100 * of('processorS')) / seconds).toFixed(0)} %`.padStart(10),
    ];
    print(cells.join(' '));
  }
}

const date = new Date().toISOString().slice(0, 10);
print(`${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}, ${date}`);
print(
  `one replica, one instance of one thread, queue delay ${DELAY_US / 1000} ms; callers who know nothing of each other, ${seconds} s for each load`,
);
for (const contender of CONTENDERS) {
  print();
  await measure(contender);
}
