import type { InstanceGroup } from '../../repository/instance-groups.ts';
import { Device } from '../../scheduling/device.ts';
import { CPU, deviceOf, nameOf } from './execution-provider.ts';
import type { ExecutionProvider, GpuProvider } from './execution-provider.ts';
import { gpuDeviceOf } from './gpu-device.ts';
import type { FindGpus, GpuReport } from './gpu-providers.ts';

/** Where a version's instances run. */
export interface Placement {
  /** Of each instance in turn; after the last, the first again. */
  readonly providers: readonly [ExecutionProvider, ...ExecutionProvider[]];
  /** What the version's runs share with those of others. */
  readonly device: Device;
  /** Instances to start with, >= 1. */
  readonly instances: number;
  /** Why it runs there, and not on what would be quicker, for people. */
  readonly why: string;
}

export interface PlacementOptions {
  readonly groups: readonly InstanceGroup[];
  /** Those of all groups, each counted once, >= 1. */
  readonly instances: number;
  /** Whether `execution_accelerators` asks for TensorRT. */
  readonly tensorrt: boolean;
  readonly cpu: Device;
  readonly findGpus: FindGpus;
  /** Milliseconds a row of a full batch there. */
  readonly time: (provider: ExecutionProvider) => Promise<number>;
}

/**
 * Chooses what runs a version. `KIND_CPU` and `KIND_GPU` are obeyed; `KIND_AUTO` takes the quickest of what works, by a timed
 * warm-up: a software adapter is there too, and far slower than the processor.
 *
 * @throws Error where what is asked for isn't there
 */
export async function placeVersion(options: PlacementOptions): Promise<Placement> {
  const { groups, instances, cpu } = options;
  const kinds = new Set(groups.map(({ kind }) => kind).filter((kind) => kind !== 'KIND_AUTO'));
  if (kinds.size > 1) {
    throw new Error(
      'instance_group has groups of KIND_CPU and of KIND_GPU; expected one kind, as a batch goes to any instance',
    );
  }
  if (kinds.has('KIND_GPU')) return onGpu(options);
  if (kinds.has('KIND_CPU'))
    return { providers: [CPU], device: cpu, instances, why: 'instance_group says KIND_CPU' };
  const reports = await options.findGpus();
  const candidates = reports.flatMap((report) => usable(report, options.tensorrt)[0] ?? []);
  const failed = reports.flatMap((report) =>
    report.kind === 'fails' ? `${report.name}: ${report.reason}` : [],
  );
  if (candidates.length === 0) return { providers: [CPU], device: cpu, instances, why: failed.join('; ') };
  const timed: { readonly provider: ExecutionProvider; readonly ms: number }[] = [];
  for (const provider of [CPU, ...candidates]) {
    try {
      timed.push({ provider, ms: await options.time(provider) });
    } catch (error) {
      failed.push(`${nameOf(provider)}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  timed.sort((one, other) => one.ms - other.ms);
  const provider = timed[0]?.provider ?? CPU;
  const times = timed.map((one) => `${nameOf(one.provider)} ${one.ms.toPrecision(3)} ms a row`);
  return {
    providers: [provider],
    device: provider.name === 'cpu' ? cpu : gpuDeviceOf(provider),
    instances,
    why: [...times, ...failed].join('; '),
  };
}

/** Never anywhere else: whoever asks for a GPU would not see that it has become slow. */
async function onGpu({ groups, tensorrt, findGpus }: PlacementOptions): Promise<Placement> {
  const reports = await findGpus();
  const asked = new Set(groups.flatMap(({ gpus }) => gpus));
  const reasons: string[] = [];
  for (const report of reports) {
    const there = usable(report, tensorrt);
    if (report.kind === 'fails' && (report.name !== 'tensorrt' || tensorrt))
      reasons.push(`${report.name}: ${report.reason}`);
    const numberOf = (provider: GpuProvider): number => ('deviceId' in provider ? provider.deviceId : 0);
    const [first, ...more] = there.filter((provider) => asked.size === 0 || asked.has(numberOf(provider)));
    if (first !== undefined) {
      const missing = [...asked].filter((gpu) => !there.some((provider) => numberOf(provider) === gpu));
      if (missing.length > 0) {
        throw new Error(`instance_group names GPU ${missing.join(', ')}, which ${report.name} doesn't have`);
      }
      const providers: Placement['providers'] = [first, ...more];
      return {
        providers,
        device: deviceFor(providers),
        instances: countOnGpus(groups, providers.length),
        why: ['instance_group says KIND_GPU', ...reasons].join('; '),
      };
    }
    // TensorRT was asked for by name: CUDA in its place would be another speed and another rounding.
    if (report.name === 'tensorrt' && tensorrt) break;
  }
  throw new Error(
    `instance_group asks for KIND_GPU, but no GPU can be used: ${reasons.join('; ')}; use KIND_CPU, or KIND_AUTO for what there is`,
  );
}

function usable(report: GpuReport, tensorrt: boolean): readonly GpuProvider[] {
  if (report.kind === 'fails') return [];
  return report.name === 'tensorrt' && !tensorrt ? [] : report.providers;
}

/** A group's count is of each of its GPUs. */
function countOnGpus(groups: readonly InstanceGroup[], gpus: number): number {
  return groups.reduce((sum, { count, gpus: named }) => sum + count * (named.length || gpus), 0);
}

/** Versions on one GPU share it; one that runs on several has as many runs at a time as they have together. */
function deviceFor(providers: readonly ExecutionProvider[]): Device {
  const onGpus = providers.flatMap((provider) => (provider.name === 'cpu' ? [] : provider));
  const devices = new Map(onGpus.map((provider) => [deviceOf(provider), gpuDeviceOf(provider)]));
  const [only, ...others] = devices.values();
  if (only !== undefined && others.length === 0) return only;
  return new Device([...devices.values()].reduce((sum, { threads }) => sum + threads, 0));
}
