/** The runtime's GPU code, on a GPU in software. */
import { describe, expect, test, vi } from 'vitest';
import { gpuFinder } from '../../../../backends/onnx/providers/gpu-providers.ts';
import { perceptron } from '../../../../bench/models/perceptron.ts';
import { loadVersion } from '../../load-version.ts';
import { providerContract } from './contract.ts';
import { bringSoftwareGpu } from './software-gpu.ts';

// Compiling for a processor that plays a GPU takes seconds, many on a busy machine.
vi.setConfig({ testTimeout: 180_000 });

const gpu = await bringSoftwareGpu();
const findGpus = gpuFinder(true);

describe.skipIf(gpu.kind === 'missing')(`WebGPU${gpu.kind === 'missing' ? ` (${gpu.reason})` : ''}`, () => {
  test('is found to work, by a run in a process of its own', async () => {
    expect(await findGpus()).toContainEqual({
      name: 'webgpu',
      kind: 'works',
      providers: [{ name: 'webgpu' }],
    });
  });

  providerContract('KIND_GPU', 'webgpu', findGpus);

  test('a software adapter is there, and KIND_AUTO takes the processor, because it is quicker', async () => {
    await using loaded = await loadVersion(perceptron(), {}, undefined, {}, findGpus);
    expect(loaded.version.about.provider).toBe('cpu');
    expect(loaded.events.onPlacement).toHaveBeenCalledExactlyOnceWith(
      'tested',
      1,
      'cpu',
      expect.stringMatching(
        /^cpu [\d.e-]+ ms a row; webgpu [\d.]+ ms a row; tensorrt: there is no NVIDIA GPU.*; cuda: /,
      ),
    );
  });
});
