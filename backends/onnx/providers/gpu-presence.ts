import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** What brings the files of the CUDA provider, which are not in the runtime's package. */
export const CUDA_COMMAND =
  'node node_modules/onnxruntime-node/script/install.js --onnxruntime-node-install=cuda12';

/** The numbers of NVIDIA's GPUs whose devices are there; empty: none, or not on this system. */
export function nvidiaGpus(devices = '/dev'): readonly number[] {
  return namesIn(devices)
    .flatMap((name) => /^nvidia([0-9]+)$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((one, other) => one - other);
}

/**
 * Why the CUDA or TensorRT provider can't work, as far as that is seen without trying it; undefined: it is worth trying.
 *
 * @param runtime the folder of the runtime's libraries
 */
export function cudaObstacle(
  name: 'cuda' | 'tensorrt',
  devices?: string,
  runtime = runtimeFolder(),
): string | undefined {
  if (nvidiaGpus(devices).length === 0) return 'there is no NVIDIA GPU: no /dev/nvidia0';
  const library = `libonnxruntime_providers_${name}.so`;
  return process.platform === 'win32' || existsSync(join(runtime, library))
    ? undefined
    : `${library} is missing; \`${CUDA_COMMAND}\` brings it`;
}

/**
 * Why the WebGPU provider can't work, as far as that is seen without trying it; undefined: it is worth trying.
 *
 * @param vulkanDriver whether a driver is named to the Vulkan loader by hand
 */
export function webgpuObstacle(vulkanDriver: boolean, devices = '/dev'): string | undefined {
  if (process.platform !== 'linux' || vulkanDriver) return undefined;
  const rendering = namesIn(join(devices, 'dri')).some((name) => name.startsWith('renderD'));
  return rendering || nvidiaGpus(devices).length > 0
    ? undefined
    : 'there is no GPU: no /dev/dri/renderD*, no /dev/nvidia0, and VK_DRIVER_FILES names no driver';
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Where the runtime's package has its libraries for this system. */
function runtimeFolder(): string {
  const { resolve } = createRequire(import.meta.url);
  const main = dirname(resolve('onnxruntime-node/package.json'));
  return join(main, 'bin', 'napi-v6', process.platform, process.arch);
}
