/** What of ONNX Runtime runs a model. */
export type ExecutionProvider =
  | { readonly name: 'cpu' }
  /** The device that the system's Vulkan, Metal or Direct3D names first. */
  | { readonly name: 'webgpu' }
  /** @property deviceId the GPU's number, from 0 */
  | { readonly name: 'cuda' | 'tensorrt'; readonly deviceId: number };

/** A provider that runs on a GPU. */
export type GpuProvider = Exclude<ExecutionProvider, { readonly name: 'cpu' }>;

export const CPU: ExecutionProvider = Object.freeze({ name: 'cpu' });

/** `cpu`, `webgpu`, `cuda:0`. */
export function nameOf(provider: ExecutionProvider): string {
  return 'deviceId' in provider ? `${provider.name}:${provider.deviceId}` : provider.name;
}

/** The device that a provider computes on: versions on one share it. */
export function deviceOf(provider: GpuProvider): string {
  return provider.name === 'webgpu' ? 'webgpu' : `cuda:${provider.deviceId}`;
}

/**
 * Whether all sessions of its device have to live in one thread: WebGPU's context is the process's own, and threads that use it at the same
 * time crash it. CUDA's sessions may each have a thread, and then copy to the GPU while others compute on it.
 */
export function sharesThread(provider: GpuProvider): boolean {
  return provider.name === 'webgpu';
}

/**
 * Whether it prepares itself for a shape at each change of it, also to one that it had before: cuDNN's plans for the convolutions of a ResNet-18 take
 * 40 to 300 ms on an H200, where a run takes 1 to 5.
 */
export function preparesForShapes({ name }: ExecutionProvider): boolean {
  return name === 'cuda' || name === 'tensorrt';
}
