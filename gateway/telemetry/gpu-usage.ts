import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** What one GPU does, as its driver says. */
export interface GpuUsage {
  /** Its number, from 0. */
  readonly gpu: number;
  /** Its name in the whole world, as `GPU-8b0a…`. */
  readonly uuid: string;
  readonly name: string;
  /** The share of the last second or so in which something ran on it, 0 to 1. */
  readonly utilization: number;
  readonly usedBytes: number;
  readonly totalBytes: number;
}

const QUERY = [
  '--query-gpu=index,uuid,name,utilization.gpu,memory.used,memory.total',
  '--format=csv,noheader,nounits',
];
const MIB = 2 ** 20;
const ANSWER_LIMIT_MS = 5000;

/** Asks `nvidia-smi`; empty where it isn't there or doesn't answer. */
export async function readGpuUsage(program = 'nvidia-smi'): Promise<readonly GpuUsage[]> {
  try {
    const { stdout } = await execute(program, QUERY, { timeout: ANSWER_LIMIT_MS });
    return stdout.split('\n').flatMap(readLine);
  } catch {
    return [];
  }
}

/** `0, GPU-8b0a…, NVIDIA H100 80GB HBM3, 37, 1024, 81559`; a GPU that doesn't tell one of them says `[N/A]`. */
function readLine(line: string): readonly GpuUsage[] {
  const [index = '', uuid = '', name = '', ...rest] = line.split(', ');
  const [utilization = NaN, used = NaN, total = NaN] = rest.map(Number);
  if (!/^[0-9]+$/.test(index) || Number.isNaN(used) || Number.isNaN(total)) return [];
  return [
    {
      gpu: Number(index),
      uuid,
      name,
      utilization: utilization / 100,
      usedBytes: used * MIB,
      totalBytes: total * MIB,
    },
  ];
}

/**
 * Follows what the driver says by one `nvidia-smi` that reports again and again. To start a process for each report would hold the event loop
 * every time: the system copies the page tables of a process that has models of gigabytes, which takes a tenth of a second and more.
 */
export class GpuWatch {
  readonly #program: string | undefined;
  readonly #nowMs: () => number;
  readonly #last = new Map<number, { readonly usage: GpuUsage; readonly atMs: number }>();
  #child: ChildProcess | undefined;
  #restart: NodeJS.Timeout | undefined;

  /**
   * @param program undefined: there is none, and so no GPU
   * @param nowMs milliseconds of a clock that only goes forward
   */
  constructor(program = nvidiaSmi(), nowMs = (): number => performance.now()) {
    this.#program = program;
    this.#nowMs = nowMs;
  }

  /** To be called before models are loaded: a small process starts another one fast. */
  start(): void {
    if (this.#program === undefined) return;
    let hasReported = false;
    const child = spawn(this.#program, [...QUERY, `--loop=${REPORT_EVERY_MS / 1000}`], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    this.#child = child;
    createInterface({ input: child.stdout }).on('line', (line) => {
      for (const usage of readLine(line)) {
        hasReported = true;
        this.#last.set(usage.gpu, { usage, atMs: this.#nowMs() });
      }
    });
    const onEnd = (): void => {
      if (this.#child !== child) return;
      this.#child = undefined;
      // A driver that had nothing to tell will have nothing.
      if (!hasReported) return;
      this.#restart = setTimeout(() => {
        this.start();
      }, RESTART_AFTER_MS).unref();
    };
    child.once('error', onEnd).once('exit', onEnd);
  }

  /** As it was a few seconds ago; empty until the first report, and where the driver has gone silent. */
  get usage(): readonly GpuUsage[] {
    const sinceMs = this.#nowMs() - SILENT_AFTER_MS;
    return [...this.#last.values()].filter(({ atMs }) => atMs >= sinceMs).map(({ usage }) => usage);
  }

  close(): void {
    clearTimeout(this.#restart);
    const child = this.#child;
    this.#child = undefined;
    child?.kill();
  }
}

const REPORT_EVERY_MS = 5000;
const SILENT_AFTER_MS = 3 * REPORT_EVERY_MS;
const RESTART_AFTER_MS = 60_000;

/** NVIDIA's driver shows itself by one of these: on Linux, and in Windows' Linux. Without it there is no use in starting a process. */
const DRIVER_DEVICES = ['/dev/nvidiactl', '/dev/dxg'];

function nvidiaSmi(): string | undefined {
  return DRIVER_DEVICES.some((device) => existsSync(device)) ? 'nvidia-smi' : undefined;
}
