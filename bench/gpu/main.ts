/** `npm run bench:gpu [-- SECONDS [PART]]`: one model on each execution provider that works here. bench/README.md has the method. */
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { CPU, nameOf } from '../../backends/onnx/providers/execution-provider.ts';
import type { ExecutionProvider, GpuProvider } from '../../backends/onnx/providers/execution-provider.ts';
import { gpuFinder } from '../../backends/onnx/providers/gpu-providers.ts';
import type { FindGpus, GpuReport } from '../../backends/onnx/providers/gpu-providers.ts';
import type { ModelConfig } from '../../backends/repository/model-config.ts';
import { Device } from '../../backends/scheduling/device.ts';
import type { Tensor } from '../../backends/tensor/tensor.ts';
import { elementCount } from '../../backends/tensor/tensor.ts';
import { vulkanDriverNamed } from '../../gateway/config/load-config.ts';
import { readGpuUsage } from '../../gateway/telemetry/gpu-usage.ts';
import { temporaryFolder } from '../../test/models/temporary-folder.ts';
import { closedLoop, quantile } from '../backend/load.ts';
import { loadVersions, rowFor } from '../backend/versions.ts';
import type { BenchedModel } from '../backend/versions.ts';
import { resnet18 } from '../models/resnet18.ts';
import { askOnce } from '../process.ts';
import { print, printFigure } from '../report.ts';
import type { SweepAnswer, SweepQuestion } from '../servers/provider-sweep.ts';
import { whileWatching } from './utilisation.ts';
import type { GpuLoad } from './utilisation.ts';

const SHAPE = [3, 224, 224];
const MODELS: readonly (BenchedModel & { readonly name: string; readonly datatype: 'FP32' | 'UINT8' })[] = [
  { name: 'ResNet-18-sized graph, float32 in', datatype: 'FP32', ...resnetOf('FP32') },
  { name: 'the same, bytes in', datatype: 'UINT8', ...resnetOf('UINT8') },
];
const MOST_ROWS = 64;
const GPU_SIZES = [1, 4, 16, 64, 128];
const CPU_SIZES = [1, 4, 16];

/** Clients of a closed loop at saturation: so many that a batch waits for each that runs. */
const CLIENTS = 320;

const ON_CPU: Partial<ModelConfig> = {
  instanceGroups: [{ name: undefined, kind: 'KIND_CPU', count: 1, gpus: [] }],
};

const seconds = Number(process.argv[2] ?? 4);
/** Which part is measured, by the beginning of its name; all where it is left out. */
const part = process.argv[3] ?? '';
const isAsked = (name: string): boolean => name.startsWith(part);
const cores = availableParallelism();

const reports = await gpuFinder(vulkanDriverNamed(process.env))();
print(
  `${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${cores} cores, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}`,
);
for (const { name, totalBytes } of await readGpuUsage())
  print(`${name}, ${(totalBytes / 2 ** 30).toFixed(0)} GiB`);
for (const report of reports)
  printFigure(report.name, report.kind === 'works' ? 'works' : `doesn't: ${report.reason}`);
const gpus = reports.flatMap((report): readonly GpuProvider[] =>
  report.kind === 'works' && report.name !== 'tensorrt' ? report.providers.slice(0, 1) : [],
);
if (gpus.length === 0) print('there is no GPU here that could be measured, so nothing is said of one');
else {
  if (isAsked('offline')) for (const model of MODELS) await offline(model);
  if (isAsked('served'))
    for (const model of MODELS) for (const provider of gpus) await served(model, provider);
  if (isAsked('agreement')) for (const provider of gpus) await agreement(provider);
  if (isAsked('automatic')) await automatic();
}

function resnetOf(datatype: 'FP32' | 'UINT8') {
  return { model: resnet18(18, datatype).model, input: 'image', shape: SHAPE };
}

/** Loops over the runtime itself, by batch size. */
async function offline({ name, model, datatype }: (typeof MODELS)[number]): Promise<void> {
  print(`\n${name}: a loop over ONNX Runtime, images/s by batch size (first run of that size, in ms)`);
  await using folder = await temporaryFolder({ 'model.onnx': model });
  const sweep = async (label: string, provider: ExecutionProvider, threads: number): Promise<void> => {
    const question: SweepQuestion = {
      model: join(folder.path, 'model.onnx'),
      provider,
      threads,
      datatype,
      shape: SHAPE,
      batchSizes: provider.name === 'cpu' ? CPU_SIZES : GPU_SIZES,
      secondsEach: seconds / 2,
    };
    const { done, gpu } = await whileWatching(() =>
      askOnce<SweepAnswer>('./servers/provider-sweep.ts', question),
    );
    const sizes = done.sizes.map(
      ({ batchSize, rowsPerSecond, firstMs }) =>
        `${batchSize}: ${rowsPerSecond.toFixed(0)} (${firstMs.toFixed(0)})`,
    );
    printFigure(label, `${sizes.join('   ')}${provider.name === 'cpu' ? '' : `   ${loadText(gpu)}`}`);
  };
  await sweep('cpu, 1 thread', CPU, 1);
  await sweep(`cpu, ${cores} threads`, CPU, cores);
  for (const provider of gpus) await sweep(nameOf(provider), provider, 1);
}

/** Through the batcher, as the gateway serves it. */
async function served(model: (typeof MODELS)[number], provider: GpuProvider): Promise<void> {
  const row = rowFor(model);
  for (const count of provider.name === 'webgpu' ? [1] : [1, 2, 4]) {
    const config = onGpu(count);
    await using loaded = await loadVersions(model, new Device(cores), [config, config], only(provider));
    const { versions } = loaded;
    const load = { versions, row, seconds };
    await closedLoop({ ...load, weights: [1, 0] }, CLIENTS);
    print(
      `\n${model.name}: through the batcher on ${nameOf(provider)}, count ${count}, ${CLIENTS} clients in a closed loop`,
    );
    for (const [label, weights] of [
      ['one version', [1, 0]],
      ['two versions, 90/10', [9, 1]],
    ] as const) {
      const { done, gpu } = await whileWatching(() => closedLoop({ ...load, weights }, CLIENTS));
      const [most, few] = done.arms;
      const times = most?.totalMs ?? [];
      const p99 = quantile(times, 0.99);
      const figure = `${done.rowsPerSecond.toFixed(0)} images/s, p50 ${quantile(times, 0.5).toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, ${loadText(gpu)}`;
      printFigure(label, figure, 'p99 < 100 ms, GPU > 70 %');
      if (weights[1] === 0 || few === undefined || few.totalMs.length === 0) continue;
      printFigure(
        '  p99 of the 10 % / of the 90 %',
        (quantile(few.totalMs, 0.99) / p99).toFixed(2),
        '<= 1.3',
      );
    }
  }
}

/** Whether a GPU answers what the processor answers. */
async function agreement(provider: GpuProvider): Promise<void> {
  const [model] = MODELS;
  if (model === undefined) return;
  // A batch that is filled up to the next size.
  const dims = [3, ...SHAPE];
  const data = Float32Array.from({ length: elementCount(dims) }, (_, index) => Math.sin(index));
  const threeRows: Tensor = { name: model.input, datatype: 'FP32', shape: dims, data };
  const configs = [{ maxBatchSize: MOST_ROWS, threads: cores, ...ON_CPU }, onGpu(1)];
  const outputs = await Promise.all(
    configs.map(async (config) => {
      await using loaded = await loadVersions(model, new Device(cores), [config], only(provider));
      const [version] = loaded.versions;
      const answer = await version?.infer({ inputs: [threeRows], deadlineMs: Infinity });
      const logits = Array.from((answer?.outputs[0]?.data ?? []) as Float32Array);
      answer?.release();
      return logits;
    }),
  );
  const [onCpu = [], there = []] = outputs;
  const largest = Math.max(...onCpu.map(Math.abs));
  const apart = Math.max(...onCpu.map((value, index) => Math.abs(value - (there[index] ?? Number.NaN))));
  print();
  printFigure(
    `${nameOf(provider)} beside the processor`,
    `largest difference of the logits of three rows ${(apart / largest).toExponential(1)} of the largest of them`,
  );
}

/** What KIND_AUTO makes of it. */
async function automatic(): Promise<void> {
  const [model] = MODELS;
  if (model === undefined) return;
  const find: FindGpus = () => Promise.resolve(reports);
  await using loaded = await loadVersions(
    model,
    new Device(cores),
    [{ maxBatchSize: MOST_ROWS }],
    find,
    (provider, why) => {
      printFigure(`KIND_AUTO takes ${provider}`, why);
    },
  );
  if (loaded.versions.length !== 1) throw new Error('it was not loaded');
}

function onGpu(count: number): Partial<ModelConfig> {
  const group = { name: undefined, kind: 'KIND_GPU', count, gpus: [0] } as const;
  return { maxBatchSize: MOST_ROWS, instances: count, instanceGroups: [group] };
}

/** That provider alone, whatever else works. */
function only(provider: GpuProvider): FindGpus {
  return () => Promise.resolve(reports.filter(({ name }: GpuReport) => name === provider.name));
}

function loadText({ utilisation, usedMebibytes }: GpuLoad): string {
  return utilisation === undefined
    ? 'GPU not told'
    : `GPU ${(100 * utilisation).toFixed(0)} % busy, ${usedMebibytes ?? 0} MiB`;
}
