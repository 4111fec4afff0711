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

/**
 * The device that a provider computes on. Providers on one device share it, and its sessions live in one thread: the runtime's
 * device context is the process's own, and threads that use it at the same time crash it.
 */
export function deviceOf(provider: GpuProvider): string {
  return provider.name === 'webgpu' ? 'webgpu' : `cuda:${provider.deviceId}`;
}
