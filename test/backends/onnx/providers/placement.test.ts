import { describe, expect, test, vi } from 'vitest';
import type { ExecutionProvider } from '../../../../backends/onnx/providers/execution-provider.ts';
import { nameOf } from '../../../../backends/onnx/providers/execution-provider.ts';
import type { GpuReport } from '../../../../backends/onnx/providers/gpu-providers.ts';
import { placeVersion } from '../../../../backends/onnx/providers/placement.ts';
import type { Placement } from '../../../../backends/onnx/providers/placement.ts';
import type { InstanceGroup } from '../../../../backends/repository/instance-groups.ts';
import { Device } from '../../../../backends/scheduling/device.ts';

const cpu = new Device(2);

const NO_TENSORRT: GpuReport = { name: 'tensorrt', kind: 'fails', reason: 'its library is missing' };
const NO_CUDA: GpuReport = { name: 'cuda', kind: 'fails', reason: 'its library is missing too' };
const NO_WEBGPU: GpuReport = { name: 'webgpu', kind: 'fails', reason: 'there is no adapter' };
const TENSORRT: GpuReport = {
  name: 'tensorrt',
  kind: 'works',
  providers: [{ name: 'tensorrt', deviceId: 0 }],
};
const CUDA: GpuReport = {
  name: 'cuda',
  kind: 'works',
  providers: [
    { name: 'cuda', deviceId: 0 },
    { name: 'cuda', deviceId: 1 },
  ],
};
const WEBGPU: GpuReport = { name: 'webgpu', kind: 'works', providers: [{ name: 'webgpu' }] };

function group(kind: InstanceGroup['kind'], more: Partial<InstanceGroup> = {}): InstanceGroup {
  return { name: undefined, kind, count: 1, gpus: [], ...more };
}

interface Machine {
  readonly reports?: readonly GpuReport[];
  readonly tensorrt?: boolean;
  /** Milliseconds a row by provider; one that is not here can't run the model. */
  readonly times?: Readonly<Record<string, number>>;
}

function place(groups: readonly InstanceGroup[], machine: Machine = {}): Promise<Placement> {
  const { reports = [NO_TENSORRT, NO_CUDA, NO_WEBGPU], tensorrt = false, times = {} } = machine;
  return placeVersion({
    groups,
    instances: groups.reduce((sum, { count }) => sum + count, 0) || 1,
    tensorrt,
    cpu,
    findGpus: () => Promise.resolve(reports),
    time: (provider: ExecutionProvider) => {
      const ms = times[nameOf(provider)];
      return ms === undefined ? Promise.reject(new Error('it has no such operator')) : Promise.resolve(ms);
    },
  });
}

const namesOf = ({ providers }: Placement): readonly string[] => providers.map(nameOf);

describe('KIND_AUTO', () => {
  test('without a GPU is the processor, untimed, and says why nothing else', async () => {
    const placement = await place([]);
    expect(placement).toMatchObject({ providers: [{ name: 'cpu' }], instances: 1, device: cpu });
    expect(placement.why).toBe(
      'tensorrt: its library is missing; cuda: its library is missing too; webgpu: there is no adapter',
    );
  });

  test.each([
    ['webgpu', { cpu: 5, 'cuda:0': 2, webgpu: 1 }],
    ['cuda:0', { cpu: 5, 'cuda:0': 1, webgpu: 2 }],
    ['cpu', { cpu: 0.5, 'cuda:0': 1, webgpu: 2 }],
  ])('takes %s where that is the quickest', async (name, times) => {
    const placement = await place([group('KIND_AUTO', { count: 3 })], {
      reports: [NO_TENSORRT, CUDA, WEBGPU],
      times,
    });
    expect(namesOf(placement)).toEqual([name]);
    expect(placement.instances).toBe(3);
    expect(placement.device === cpu).toBe(name === 'cpu');
    for (const [timed, ms] of Object.entries(times)) {
      expect(placement.why).toContain(`${timed} ${ms.toPrecision(3)} ms a row`);
    }
  });

  test('passes over what can not run the model, and says so', async () => {
    const placement = await place([], { reports: [NO_TENSORRT, NO_CUDA, WEBGPU], times: { cpu: 3 } });
    expect(namesOf(placement)).toEqual(['cpu']);
    expect(placement.why).toContain('webgpu: it has no such operator');
  });

  test('tries TensorRT only where the configuration names it', async () => {
    const times = { cpu: 9, 'tensorrt:0': 1, 'cuda:0': 2 };
    const reports = [TENSORRT, CUDA, NO_WEBGPU];
    expect(namesOf(await place([], { reports, times }))).toEqual(['cuda:0']);
    expect(namesOf(await place([], { reports, times, tensorrt: true }))).toEqual(['tensorrt:0']);
  });
});

test('KIND_CPU looks for no GPU', async () => {
  const findGpus = vi.fn<() => Promise<readonly GpuReport[]>>();
  const time = vi.fn<() => Promise<number>>();
  const groups = [group('KIND_CPU', { count: 2 }), group('KIND_CPU')];
  const placement = await placeVersion({ groups, instances: 3, tensorrt: false, cpu, findGpus, time });
  expect(placement).toMatchObject({ providers: [{ name: 'cpu' }], instances: 3 });
  expect(findGpus).not.toHaveBeenCalled();
});

describe('KIND_GPU', () => {
  test('never falls back to the processor: it fails with every reason', async () => {
    await expect(place([group('KIND_GPU')])).rejects.toThrow(
      'instance_group asks for KIND_GPU, but no GPU can be used: cuda: its library is missing too; ' +
        'webgpu: there is no adapter; use KIND_CPU, or KIND_AUTO for what there is',
    );
  });

  test('has as many instances as it counts on each of the GPUs, and one device for all of them', async () => {
    const placement = await place([group('KIND_GPU', { count: 2 })], {
      reports: [NO_TENSORRT, CUDA, WEBGPU],
    });
    expect(namesOf(placement)).toEqual(['cuda:0', 'cuda:1']);
    expect(placement.instances).toBe(4);
    // Four on each: some copy while others compute.
    expect(placement.device.threads).toBe(8);
  });

  test('runs on the GPUs that are named, and shares each with the other versions on it', async () => {
    const reports = [NO_TENSORRT, CUDA, WEBGPU];
    const placement = await place([group('KIND_GPU', { gpus: [1], count: 2 })], { reports });
    expect(namesOf(placement)).toEqual(['cuda:1']);
    expect(placement.instances).toBe(2);
    expect((await place([group('KIND_GPU', { gpus: [1] })], { reports })).device).toBe(placement.device);
    expect((await place([group('KIND_GPU', { gpus: [0] })], { reports })).device).not.toBe(placement.device);
  });

  test('refuses a GPU that is not there', async () => {
    const asked = place([group('KIND_GPU', { gpus: [0, 7] })], { reports: [NO_TENSORRT, CUDA, WEBGPU] });
    await expect(asked).rejects.toThrow("instance_group names GPU 7, which cuda doesn't have");
  });

  test('takes WebGPU where CUDA does not work, and says why', async () => {
    const placement = await place([group('KIND_GPU')], { reports: [NO_TENSORRT, NO_CUDA, WEBGPU] });
    expect(namesOf(placement)).toEqual(['webgpu']);
    expect(placement.why).toContain('cuda: its library is missing too');
  });

  test('with TensorRT asked for, takes nothing in its place', async () => {
    const asked = place([group('KIND_GPU')], { reports: [NO_TENSORRT, CUDA, WEBGPU], tensorrt: true });
    await expect(asked).rejects.toThrow('no GPU can be used: tensorrt: its library is missing');
    const placement = await place([group('KIND_GPU')], { reports: [TENSORRT, CUDA, WEBGPU], tensorrt: true });
    expect(namesOf(placement)).toEqual(['tensorrt:0']);
  });
});

test('groups of both kinds are refused', async () => {
  await expect(place([group('KIND_CPU'), group('KIND_GPU')], { reports: [CUDA] })).rejects.toThrow(
    'instance_group has groups of KIND_CPU and of KIND_GPU; expected one kind',
  );
});
