import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { GpuWatch, readGpuUsage } from '../../../gateway/telemetry/gpu-usage.ts';
import type { GpuUsage } from '../../../gateway/telemetry/gpu-usage.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';

/** A program that prints what NVIDIA's prints, for a machine without one of its GPUs. */
async function printing(text: string): Promise<AsyncDisposable & { readonly program: string }> {
  const folder = await temporaryFolder({ 'nvidia-smi': `#!/bin/sh\ncat <<'END'\n${text}END\n` });
  const program = join(folder.path, 'nvidia-smi');
  await chmod(program, 0o755);
  return { program, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

test('each GPU that the driver tells of is read, in bytes and shares', async () => {
  await using smi = await printing(
    '0, GPU-8b0a, NVIDIA H100 80GB HBM3, 37, 1024, 81559\n1, GPU-c1d2, NVIDIA H100 80GB HBM3, 100, 0, 81559\n',
  );
  expect(await readGpuUsage(smi.program)).toEqual([
    {
      gpu: 0,
      uuid: 'GPU-8b0a',
      name: 'NVIDIA H100 80GB HBM3',
      utilization: 0.37,
      usedBytes: 2 ** 30,
      totalBytes: 81_559 * 2 ** 20,
    },
    {
      gpu: 1,
      uuid: 'GPU-c1d2',
      name: 'NVIDIA H100 80GB HBM3',
      utilization: 1,
      usedBytes: 0,
      totalBytes: 81_559 * 2 ** 20,
    },
  ]);
});

test('no program, or one that has nothing to tell, is no GPU', async () => {
  await using smi = await printing('No devices were found\n');
  expect(await readGpuUsage(smi.program)).toEqual([]);
  expect(await readGpuUsage('/nowhere/nvidia-smi')).toEqual([]);
});

test('looking never waits, and asks anew only when the last answer is old', async () => {
  const usage = (utilization: number): readonly GpuUsage[] => [
    { gpu: 0, uuid: 'GPU-0', name: 'one', utilization, usedBytes: 1, totalBytes: 2 },
  ];
  let [nowMs, asked] = [0, 0];
  const watch = new GpuWatch(
    () => Promise.resolve(usage((asked += 1))),
    () => nowMs,
  );
  expect(watch.look()).toEqual([]);
  await Promise.resolve();
  expect(watch.look()).toEqual(usage(1));
  nowMs = 5000;
  expect(watch.look()).toEqual(usage(1));
  await Promise.resolve();
  expect(watch.look()).toEqual(usage(2));
  expect(asked).toBe(2);
});
