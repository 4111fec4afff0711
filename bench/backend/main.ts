/** `npm run bench:backend [-- ROUNDS [NAME]]`: the batcher, the instances and the device through their own interface, without HTTP. */
import { availableParallelism, cpus, loadavg } from 'node:os';
import { DEFAULT_MODEL_CONFIG } from '../../backends/repository/model-config.ts';
import type { ModelConfig } from '../../backends/repository/model-config.ts';
import { Device } from '../../backends/scheduling/device.ts';
import { slowModel } from '../../test/models/small-models.ts';
import { perceptron } from '../models/perceptron.ts';
import { resnet18 } from '../models/resnet18.ts';
import { askOnce } from '../process.ts';
import { print, printFigure, spread } from '../report.ts';
import type { OfflineAnswer, OfflineQuestion } from '../servers/offline-loop.ts';
import { closedLoop, openLoop, quantile } from './load.ts';
import type { LoadOutcome } from './load.ts';
import { loadVersions, rowFor } from './versions.ts';
import type { BenchedModel } from './versions.ts';

const CLIENTS = 64;

const PERCEPTRON: BenchedModel = { model: perceptron(), input: 'INPUT', shape: [64] };
/** Some milliseconds a row, and in proportion to the rows. */
const PRODUCTS: BenchedModel = { model: slowModel(128, 16), input: 'INPUT', shape: [128, 128] };

/** Two instances of one thread. */
const TWO: Partial<ModelConfig> = { maxBatchSize: 32, instances: 2, threads: 1 };

const rounds = Number(process.argv[2] ?? 5);
/** Which measurements are taken, by the beginning of their names; all where it is left out. */
const only = process.argv[3] ?? '';

async function batchingOnOff(): Promise<void> {
  print(`64-32-10 perceptron, ${CLIENTS} clients in a closed loop, one instance`);
  const { batching } = DEFAULT_MODEL_CONFIG;
  await using loaded = await loadVersions(PERCEPTRON, new Device(availableParallelism()), [
    { maxBatchSize: 64, threads: 1 },
    { maxBatchSize: 64, threads: 1, batching: { ...batching, enabled: false } },
  ]);
  const row = rowFor(PERCEPTRON);
  const measured: { on: number; off: number }[] = [];
  for (let round = -1; round < rounds; round++) {
    const [on, off] = [
      await closedLoop({ versions: loaded.versions, weights: [1, 0], row, seconds: 2 }, CLIENTS),
      await closedLoop({ versions: loaded.versions, weights: [0, 1], row, seconds: 2 }, CLIENTS),
    ];
    if (round >= 0) measured.push({ on: on.rowsPerSecond, off: off.rowsPerSecond });
  }
  printFigure(
    'batching on',
    `${spread(
      measured.map(({ on }) => on),
      0,
    )} rows/s`,
  );
  printFigure(
    'batching off',
    `${spread(
      measured.map(({ off }) => off),
      0,
    )} rows/s`,
  );
  printFigure('(1) on / off', spread(measured.map(({ on, off }) => on / off)), '>= 3');
}

async function resnetAgainstOffline(): Promise<void> {
  print('ResNet-18-sized graph, one instance of one thread, 16 clients in a closed loop');
  const { model } = resnet18();
  const benched: BenchedModel = { model, input: 'image', shape: [3, 224, 224] };
  await using loaded = await loadVersions(benched, new Device(availableParallelism()), [
    { maxBatchSize: 8, threads: 1 },
  ]);
  const { versions, modelFile } = loaded;
  const row = rowFor(benched);
  const question: OfflineQuestion = {
    model: modelFile,
    batchSizes: [1, 2, 4, 8],
    shape: benched.shape,
    secondsEach: 2,
  };
  const measured: { served: LoadOutcome; offline: OfflineAnswer }[] = [];
  for (let round = -1; round < rounds; round++) {
    const served = await closedLoop({ versions, weights: [1], row, seconds: 6 }, 16);
    const offline = await askOnce<OfflineAnswer>('./servers/offline-loop.ts', question);
    if (round >= 0) measured.push({ served, offline });
  }
  const figures = (
    figure: (round: { served: LoadOutcome; offline: OfflineAnswer }) => number,
    digits = 2,
  ): string => spread(measured.map(figure), digits);
  printFigure('batcher', `${figures(({ served }) => served.rowsPerSecond, 1)} images/s`);
  printFigure('best offline loop', `${figures(({ offline }) => offline.rowsPerSecond, 1)} images/s`);
  printFigure(
    '(2) batcher / offline loop',
    figures(({ served, offline }) => served.rowsPerSecond / offline.rowsPerSecond),
    '>= 0.95',
  );
  printFigure(
    '    the same, by processor time',
    figures(({ served, offline }) => served.rowsPerCpuSecond / offline.rowsPerCpuSecond),
  );
  printFigure(
    '    time in the model',
    figures(({ served }) => served.busyInstances),
  );
}

async function mixedAgainstAlone(name: string, benched: BenchedModel): Promise<void> {
  print(`${name} as two versions of two instances each, ${CLIENTS} clients in a closed loop`);
  await using loaded = await loadVersions(benched, new Device(availableParallelism()), [TWO, TWO]);
  const { versions } = loaded;
  const row = rowFor(benched);
  const measured: { alone: number; even: number; uneven: number; byCpu: number; p99: number; p50: number }[] =
    [];
  for (let round = -1; round < rounds; round++) {
    const load = { versions, row, seconds: 4 };
    const alone = await closedLoop({ ...load, weights: [1, 0] }, CLIENTS);
    const even = await closedLoop({ ...load, weights: [1, 1] }, CLIENTS);
    const uneven = await closedLoop({ ...load, weights: [9, 1] }, CLIENTS);
    const at = (share: number): number =>
      quantile(uneven.arms[1]?.totalMs ?? [], share) / quantile(uneven.arms[0]?.totalMs ?? [], share);
    if (round < 0) continue;
    measured.push({
      alone: alone.rowsPerSecond,
      even: even.rowsPerSecond / alone.rowsPerSecond,
      uneven: uneven.rowsPerSecond / alone.rowsPerSecond,
      byCpu: uneven.rowsPerCpuSecond / alone.rowsPerCpuSecond,
      p50: at(0.5),
      p99: at(0.99),
    });
  }
  printFigure(
    'one variant alone',
    `${spread(
      measured.map(({ alone }) => alone),
      0,
    )} rows/s`,
  );
  printFigure('(3) mixed 50/50 / alone', spread(measured.map(({ even }) => even)), '>= 0.90');
  printFigure('(3) mixed 90/10 / alone', spread(measured.map(({ uneven }) => uneven)), '>= 0.90');
  printFigure('    90/10, by processor time', spread(measured.map(({ byCpu }) => byCpu)));
  printFigure('(4) p99 of the 10 % / of the 90 %', spread(measured.map(({ p99 }) => p99)), '<= 1.3');
  printFigure('    p50 of the 10 % / of the 90 %', spread(measured.map(({ p50 }) => p50)));
}

async function armsAtPartLoad(name: string, benched: BenchedModel, share: number): Promise<void> {
  await using loaded = await loadVersions(benched, new Device(availableParallelism()), [TWO, TWO]);
  const { versions } = loaded;
  const row = rowFor(benched);
  const capacity = await closedLoop({ versions, weights: [9, 1], row, seconds: 2 }, CLIENTS);
  const perSecond = capacity.rowsPerSecond * share;
  print(`${name}, 90/10, open loop at ${share * 100} % of the throughput, ${perSecond.toFixed(0)} rows/s`);
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const { arms } = await openLoop({ versions, weights: [9, 1], row, seconds: 6 }, perSecond);
    ratios.push(quantile(arms[1]?.totalMs ?? [], 0.99) / quantile(arms[0]?.totalMs ?? [], 0.99));
  }
  printFigure('(4) p99 of the 10 % / of the 90 %', spread(ratios), '<= 1.3');
}

async function addedAtLowLoad(name: string, benched: BenchedModel): Promise<void> {
  print(`${name}, one client`);
  await using loaded = await loadVersions(benched, new Device(availableParallelism()), [
    { maxBatchSize: 32, threads: 1 },
  ]);
  const { versions } = loaded;
  const row = rowFor(benched);
  const added: number[] = [];
  for (let round = -1; round < rounds; round++) {
    const { arms } = await closedLoop({ versions, weights: [1], row, seconds: 2 }, 1);
    const [arm] = arms;
    const beside = arm?.totalMs.map((totalMs, index) => totalMs - (arm.computeMs[index] ?? 0)) ?? [];
    if (round >= 0) added.push(quantile(beside, 0.5));
  }
  printFigure('(5) added to the run, p50', `${spread(added, 3)} ms`, '< 0.3 ms');
}

const date = new Date().toISOString().slice(0, 10);
print(
  `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}, ${date}, ${rounds} rounds`,
);
print(`load average of the machine before the start: ${loadavg()[0]?.toFixed(1) ?? '-'}`);
const measures: Readonly<Record<string, () => Promise<void>>> = {
  batching: batchingOnOff,
  offline: resnetAgainstOffline,
  'mixed-products': () => mixedAgainstAlone('matrix products', PRODUCTS),
  'mixed-perceptron': () => mixedAgainstAlone('perceptron', PERCEPTRON),
  'arms-products': () => armsAtPartLoad('matrix products', PRODUCTS, 0.6),
  'added-perceptron': () => addedAtLowLoad('perceptron', PERCEPTRON),
  'added-products': () => addedAtLowLoad('matrix products', PRODUCTS),
};
for (const [name, measure] of Object.entries(measures)) {
  if (!name.startsWith(only)) continue;
  print();
  await measure();
}
