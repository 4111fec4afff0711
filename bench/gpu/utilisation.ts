import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const EVERY_MS = 200;

/** What `nvidia-smi` says of the first GPU while something runs. */
export interface GpuLoad {
  /** The mean share of the time in which something ran on it, 0 to 1; undefined where the driver doesn't tell. */
  readonly utilisation: number | undefined;
  /** The most of its memory that was taken. */
  readonly usedMebibytes: number | undefined;
}

/** Looks five times a second at what the GPU does, until `work` is done; the first look and the last are left out, as half of their time is before or after it. */
export async function whileWatching<Done>(
  work: () => Promise<Done>,
): Promise<{ readonly done: Done; readonly gpu: GpuLoad }> {
  const seen: (readonly [utilisation: number, mebibytes: number])[] = [];
  const watch = spawn(
    'nvidia-smi',
    [
      '--id=0',
      '--query-gpu=utilization.gpu,memory.used',
      '--format=csv,noheader,nounits',
      `-lms=${EVERY_MS}`,
    ],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  watch.on('error', () => undefined);
  createInterface({ input: watch.stdout }).on('line', (line) => {
    const [utilisation = Number.NaN, mebibytes = Number.NaN] = line.split(',').map(Number);
    if (!Number.isNaN(utilisation)) seen.push([utilisation / 100, mebibytes]);
  });
  try {
    const done = await work();
    const inside = seen.slice(1, -1);
    const mean = inside.reduce((sum, [utilisation]) => sum + utilisation, 0) / inside.length;
    return {
      done,
      gpu: {
        utilisation: inside.length > 0 ? mean : undefined,
        usedMebibytes: inside.length > 0 ? Math.max(...inside.map(([, mebibytes]) => mebibytes)) : undefined,
      },
    };
  } finally {
    watch.kill();
  }
}
