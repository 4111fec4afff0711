import { execFile } from 'node:child_process';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { GpuWatch, readGpuUsage } from '../../../gateway/telemetry/gpu-usage.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import { eventually } from '../running-gateway.ts';

/** A program in the place of NVIDIA's, for a machine without one of its GPUs. */
interface Smi extends AsyncDisposable {
  readonly program: string;
  /** Its process id, and what it was called with. */
  arguments(): Promise<string>;
}

async function running(script: string): Promise<Smi> {
  const folder = await temporaryFolder({ 'nvidia-smi': `#!/bin/sh\necho "$$ $*" > "$0.args"\n${script}\n` });
  const program = join(folder.path, 'nvidia-smi');
  await chmod(program, 0o755);
  return {
    program,
    arguments: () => readFile(`${program}.args`, 'utf8'),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

const printing = (text: string): Promise<Smi> => running(`cat <<'END'\n${text}END`);

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
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

const ONE = { gpu: 0, uuid: 'GPU-0', name: 'one', utilization: 0.5, usedBytes: 2 ** 20, totalBytes: 2 ** 21 };

test('one process reports again and again, and is ended with the watch', async () => {
  await using smi = await running(
    'echo "0, GPU-0, one, 25, 1, 2"\nread -r go < "$0.go"\necho "0, GPU-0, one, 50, 1, 2"\nexec sleep 600',
  );
  await promisify(execFile)('mkfifo', [`${smi.program}.go`]);
  const watch = new GpuWatch(smi.program);
  expect(watch.usage).toEqual([]);
  watch.start();
  await eventually(() => watch.usage[0]?.utilization === 0.25);
  await writeFile(`${smi.program}.go`, 'go\n');
  await eventually(() => watch.usage[0]?.utilization === 0.5);
  expect(watch.usage).toEqual([ONE]);
  const [pid = ''] = (await smi.arguments()).split(' ');
  expect(() => process.kill(Number(pid), 0)).not.toThrow();
  expect(await smi.arguments()).toContain('--loop=5');
  watch.close();
  await eventually(() => isGone(Number(pid)));
});

test('a driver that has gone silent tells nothing any more', async () => {
  await using smi = await running('echo "0, GPU-0, one, 50, 1, 2"\nexec sleep 600');
  let nowMs = 0;
  const watch = new GpuWatch(smi.program, () => nowMs);
  watch.start();
  await eventually(() => watch.usage.length === 1);
  nowMs = 15_000;
  expect(watch.usage).toEqual([ONE]);
  nowMs = 15_001;
  expect(watch.usage).toEqual([]);
  watch.close();
});
