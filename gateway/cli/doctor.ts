import { availableParallelism, totalmem } from 'node:os';
import { createRequire } from 'node:module';
import { Command } from 'commander';
import sharp from 'sharp';
import { nameOf } from '../../backends/onnx/providers/execution-provider.ts';
import { gpuFinder } from '../../backends/onnx/providers/gpu-providers.ts';
import type { GpuReport } from '../../backends/onnx/providers/gpu-providers.ts';
import { lookAtStore } from '../../experiments/stores/look-at-store.ts';
import type { StoreReport } from '../../experiments/stores/look-at-store.ts';
import { loadConfig, vulkanDriverNamed } from '../config/load-config.ts';
import { stateText } from '../config/shown-config.ts';
import { RELEASE } from '../release.ts';
import { readGpuUsage } from '../telemetry/gpu-usage.ts';
import type { GpuUsage } from '../telemetry/gpu-usage.ts';
import { percent, textTable } from './text-table.ts';

/** Where a configuration keeps its state, and what is to be said against it. */
interface StateDiagnosis extends StoreReport {
  /** As the configuration has it, without a password. */
  readonly store: string;
}

/** What the gateway finds on the machine. */
interface Diagnosis {
  readonly versions: Readonly<Record<'signalbox' | 'node' | 'onnxruntime' | 'libvips', string>>;
  readonly machine: {
    readonly platform: string;
    readonly cores: number;
    readonly memoryBytes: number;
    /** What a container may use of it; left out: all. */
    readonly memoryLimitBytes?: number;
  };
  readonly providers: readonly {
    readonly name: string;
    readonly works: boolean;
    /** The devices, where it works; else what is in the way, and what would bring it. */
    readonly detail: string;
  }[];
  readonly gpus: readonly GpuUsage[];
  /** Left out: no configuration was named. */
  readonly state?: StateDiagnosis;
}

interface DoctorOptions {
  readonly config?: string;
  readonly json?: true;
}

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('what the gateway finds on this machine: versions, memory, and what models can run on')
    .option(
      '-c, --config <file>',
      'look at the state store of that configuration too; exit 1 where it has a problem',
    )
    .option('--json', 'for machines: one JSON object')
    .action(async ({ config, json }: DoctorOptions) => {
      const diagnosis = await diagnose(config);
      process.stdout.write(json === true ? `${JSON.stringify(diagnosis)}\n` : render(diagnosis));
      if ((diagnosis.state?.problems ?? []).length > 0) process.exitCode = 1;
    });
}

async function diagnose(config: string | undefined): Promise<Diagnosis> {
  const [state, reports, gpus] = await Promise.all([
    config === undefined ? undefined : diagnoseState(config),
    gpuFinder(vulkanDriverNamed(process.env))(),
    readGpuUsage(),
  ]);
  const memoryBytes = totalmem();
  const limit = process.constrainedMemory();
  return {
    versions: {
      signalbox: RELEASE,
      node: process.versions.node,
      onnxruntime: runtimeVersion(),
      libvips: sharp.versions.vips,
    },
    machine: {
      platform: `${process.platform} ${process.arch}`,
      cores: availableParallelism(),
      memoryBytes,
      ...(limit > 0 && limit < memoryBytes && { memoryLimitBytes: limit }),
    },
    providers: [{ name: 'cpu', works: true, detail: 'cpu' }, ...reports.map(describe).toReversed()],
    gpus,
    ...(state !== undefined && { state }),
  };
}

async function diagnoseState(file: string): Promise<StateDiagnosis> {
  const { state } = await loadConfig(file, process.env);
  return { store: stateText(state), ...(await lookAtStore(state)) };
}

function describe(report: GpuReport): Diagnosis['providers'][number] {
  const { name } = report;
  return report.kind === 'works'
    ? { name, works: true, detail: report.providers.map(nameOf).join(', ') }
    : { name, works: false, detail: report.reason };
}

/** Of the package, as the runtime itself is loaded in workers only. */
function runtimeVersion(): string {
  const manifest: unknown = createRequire(import.meta.url)('onnxruntime-node/package.json');
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown';
}

function render({ versions, machine, providers, gpus, state }: Diagnosis): string {
  const { memoryBytes, memoryLimitBytes } = machine;
  const limit = memoryLimitBytes === undefined ? '' : `, of which ${gibibytes(memoryLimitBytes)} may be used`;
  return [
    ...textTable(['', 'version'], Object.entries(versions), 2),
    '',
    `${machine.platform}, ${machine.cores} cores, ${gibibytes(memoryBytes)} of memory${limit}`,
    '',
    ...textTable(
      ['provider', 'works', ''],
      providers.map(({ name, works, detail }) => [name, works ? 'yes' : 'no', detail]),
      3,
    ),
    ...(gpus.length === 0 ? [] : ['', ...gpuTable(gpus)]),
    ...(state === undefined ? [] : ['', ...stateLines(state)]),
    '',
  ].join('\n');
}

function stateLines({ store, problems, warnings }: StateDiagnosis): readonly string[] {
  return [
    `state ${store}${problems.length === 0 ? ': no problems' : ''}`,
    ...problems.map((problem) => `  problem: ${problem}`),
    ...warnings.map((warning) => `  warning: ${warning}`),
  ];
}

function gpuTable(gpus: readonly GpuUsage[]): readonly string[] {
  const rows = gpus.map(({ gpu, name, utilization, usedBytes, totalBytes }) => [
    String(gpu),
    name,
    percent(utilization),
    gibibytes(usedBytes),
    gibibytes(totalBytes),
  ]);
  return textTable(['gpu', 'name', 'busy', 'memory used', 'memory'], rows, 2);
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
