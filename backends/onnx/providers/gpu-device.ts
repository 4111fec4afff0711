import { Device } from '../../scheduling/device.ts';
import { deviceOf, sharesThread } from './execution-provider.ts';
import type { GpuProvider } from './execution-provider.ts';

/** Runs at once on one GPU by CUDA: some copy while others compute. On an H200 a fourth still brought a tenth more. */
const MOST_RUNS = 4;

const devices = new Map<string, Device>();

/** What versions on a GPU share: one for each GPU of the process, whoever asks. */
export function gpuDeviceOf(provider: GpuProvider): Device {
  const name = deviceOf(provider);
  const device = devices.get(name) ?? new Device(sharesThread(provider) ? 1 : MOST_RUNS);
  devices.set(name, device);
  return device;
}
