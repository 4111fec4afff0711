import { expect, test } from 'vitest';
import {
  cudaObstacle,
  nvidiaGpus,
  webgpuObstacle,
} from '../../../../backends/onnx/providers/gpu-presence.ts';
import { PROBE_MODEL } from '../../../../backends/onnx/providers/probe-model.ts';
import { encodeModel } from '../../../models/onnx-graph.ts';
import { temporaryFolder } from '../../../models/temporary-folder.ts';

test('GPUs of NVIDIA are those with a device, in order', async () => {
  await using devices = await temporaryFolder({
    nvidia10: '',
    nvidia0: '',
    nvidiactl: '',
    'nvidia-uvm': '',
    null: '',
  });
  expect(nvidiaGpus(devices.path)).toEqual([0, 10]);
  expect(nvidiaGpus('/nowhere')).toEqual([]);
});

test.runIf(process.platform === 'linux')(
  'CUDA without its library names the command that brings it',
  async () => {
    await using devices = await temporaryFolder({ nvidia0: '' });
    await using runtime = await temporaryFolder({ 'libonnxruntime_providers_cuda.so': '' });
    expect(cudaObstacle('cuda', '/nowhere', runtime.path)).toBe('there is no NVIDIA GPU: no /dev/nvidia0');
    expect(cudaObstacle('cuda', devices.path, runtime.path)).toBeUndefined();
    expect(cudaObstacle('tensorrt', devices.path, runtime.path)).toBe(
      'libonnxruntime_providers_tensorrt.so is missing; `node node_modules/onnxruntime-node/script/install.js ' +
        '--onnxruntime-node-install=cuda12` brings it',
    );
  },
);

test.runIf(process.platform === 'linux')(
  'WebGPU is worth a try with a device, or with a driver named by hand',
  async () => {
    await using rendering = await temporaryFolder({ 'dri/renderD128': '' });
    await using display = await temporaryFolder({ 'dri/card0': '' });
    await using nvidia = await temporaryFolder({ nvidia1: '' });
    expect(webgpuObstacle(false, rendering.path)).toBeUndefined();
    expect(webgpuObstacle(false, nvidia.path)).toBeUndefined();
    expect(webgpuObstacle(false, display.path)).toMatch('there is no GPU');
    expect(webgpuObstacle(true, '/nowhere')).toBeUndefined();
  },
);

test('the model of the probe is one addition', () => {
  const rows = { datatype: 'FP32', shape: ['batch', 4] } as const;
  const made = encodeModel({
    inputs: [{ name: 'INPUT', ...rows }],
    outputs: [{ name: 'OUTPUT', ...rows }],
    nodes: [{ op: 'Add', inputs: ['INPUT', 'INPUT'], outputs: ['OUTPUT'] }],
  });
  expect(Buffer.from(PROBE_MODEL)).toEqual(Buffer.from(made));
});
