import { execFile } from 'node:child_process';
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

const QUERY = 'index,uuid,name,utilization.gpu,memory.used,memory.total';
const MIB = 2 ** 20;
const ANSWER_LIMIT_MS = 5000;

/** Asks `nvidia-smi`; empty where it isn't there or doesn't answer. */
export async function readGpuUsage(program = 'nvidia-smi'): Promise<readonly GpuUsage[]> {
  try {
    const { stdout } = await execute(program, [`--query-gpu=${QUERY}`, '--format=csv,noheader,nounits'], {
      timeout: ANSWER_LIMIT_MS,
    });
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

/** Keeps the last answer, and asks anew when somebody looks and it is old: a scrape doesn't wait for the driver. */
export class GpuWatch {
  readonly #read: () => Promise<readonly GpuUsage[]>;
  readonly #nowMs: () => number;
  #last: readonly GpuUsage[] = [];
  #askedMs = -Infinity;

  /** @param nowMs milliseconds of a clock that only goes forward */
  constructor(read: () => Promise<readonly GpuUsage[]>, nowMs: () => number) {
    this.#read = read;
    this.#nowMs = nowMs;
  }

  /** As it was when somebody last looked, at most; empty at the first look. */
  look(): readonly GpuUsage[] {
    const nowMs = this.#nowMs();
    if (nowMs - this.#askedMs >= ASK_EVERY_MS) {
      this.#askedMs = nowMs;
      void this.#read().then((usage) => {
        this.#last = usage;
      });
    }
    return this.#last;
  }
}

const ASK_EVERY_MS = 5000;
