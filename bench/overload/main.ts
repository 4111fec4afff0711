/** `npm run bench:overload [-- SECONDS]`: goodput and latency from half to ten times the capacity. bench/README.md has the method. */
import { cpus } from 'node:os';
import { join } from 'node:path';
import { slowModel } from '../../test/models/small-models.ts';
import { temporaryFolder } from '../../test/models/temporary-folder.ts';
import { httpRequest } from '../load/http-request.ts';
import { askOnce, startServer } from '../process.ts';
import { print } from '../report.ts';
import type { OpenLoad, OpenLoadResult } from './open-load.ts';

const seconds = Number(process.argv[2] ?? 15);

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
  const load = (ratePerSecond: number, forSeconds = seconds): Promise<OpenLoadResult> =>
    askOnce('./overload/open-load-process.ts', {
      port: server.port,
      request,
      ratePerSecond,
      seconds: forSeconds,
      patienceMs: PATIENCE_MS,
    } satisfies OpenLoad);
  // Half as much again as the last rate that was all answered, until no more comes back.
  let capacity = 0;
  for (let rate = 8; ; rate *= 1.5) {
    const { goodPerSecond } = await load(rate, Math.min(5, seconds));
    const isMore = goodPerSecond > capacity * 1.05;
    capacity = Math.max(capacity, goodPerSecond);
    if (!isMore) break;
  }
  print(`${what}: capacity ${capacity.toFixed(0)} requests a second`);
  print('  load   sent/s  good/s  of peak  p50 ms  p99 ms  refused/s  p99 ms  given up/s  sent late');
  const results: (readonly [number, OpenLoadResult])[] = [];
  for (const times of [0.5, 0.8, 1, 2, 5, 10]) results.push([times, await load(capacity * times)]);
  const peak = Math.max(...results.map(([, { goodPerSecond }]) => goodPerSecond));
  for (const [times, result] of results) {
    const refused = Object.values(result.refused).reduce((sum, count) => sum + count, 0);
    const cells = [
      `${times}x`.padStart(6),
      (result.sent / seconds).toFixed(0).padStart(8),
      result.goodPerSecond.toFixed(0).padStart(7),
      `${((100 * result.goodPerSecond) / peak).toFixed(0)} %`.padStart(8),
      result.p50Ms.toFixed(0).padStart(7),
      result.p99Ms.toFixed(0).padStart(7),
      (refused / seconds).toFixed(0).padStart(10),
      result.refusedP99Ms.toFixed(0).padStart(7),
      ((result.late + result.failed) / seconds).toFixed(1).padStart(11),
      `${((100 * result.sentLate) / result.sent).toFixed(1)} %`.padStart(10),
    ];
    print(cells.join(' '));
  }
}

const date = new Date().toISOString().slice(0, 10);
print(`${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}, ${date}`);
print(`${seconds} s for each load; callers give up after ${PATIENCE_MS} ms`);
print();
await measure('shedding from an expected wait of 250 ms', '{ wait: 250ms }');
print();
await measure('no shedding', '{ wait: 24h, eventLoopDelay: 24h }');
