import type { InferAnswer } from '../../backends/inference.ts';
import type { ModelVersion } from '../../backends/model-version.ts';
import type { Tensor } from '../../backends/tensor/tensor.ts';

/** Times of the requests that one version answered, in milliseconds. */
export interface ArmTimes {
  readonly totalMs: number[];
  readonly computeMs: number[];
}

export interface LoadOutcome {
  readonly rowsPerSecond: number;
  /** Of the whole process: on a machine that others use it varies less than rows a second. */
  readonly rowsPerCpuSecond: number;
  /** The time that instances were in the model, over the time that passed: 1 is one instance that never stood still. */
  readonly busyInstances: number;
  /** By position of the version. */
  readonly arms: readonly ArmTimes[];
}

/** What a load does: whom it asks, for how long. */
export interface Load {
  readonly versions: readonly ModelVersion[];
  /** How often each version is asked, in whole numbers: `[9, 1]` is nine of ten, and one. */
  readonly weights: readonly number[];
  readonly row: Tensor;
  readonly seconds: number;
}

/** So many clients, each of which sends its next request when it has its answer. */
export async function closedLoop(load: Load, clients: number): Promise<LoadOutcome> {
  const asking = new Asking(load);
  const endMs = performance.now() + load.seconds * 1000;
  const client = async (): Promise<void> => {
    while (performance.now() < endMs) await asking.ask(performance.now());
  };
  await Promise.all(Array.from({ length: clients }, client));
  return asking.outcome();
}

/** Requests that are due at random, so many a second on average, whatever became of those before; timed from when they were due. */
export async function openLoop(load: Load, perSecond: number): Promise<LoadOutcome> {
  const asking = new Asking(load);
  const startMs = performance.now();
  const endMs = startMs + load.seconds * 1000;
  // A machine that others use can be too slow for a while: one that was refused counts as never answered.
  const answers: Promise<void>[] = [];
  const random = generator(7);
  let dueMs = startMs;
  while (dueMs < endMs) {
    // A timer is too coarse for requests that come every few microseconds: those that are due are sent together.
    const earlyMs = dueMs - performance.now();
    if (earlyMs > 0) await new Promise((resolve) => setTimeout(resolve, earlyMs));
    answers.push(asking.ask(dueMs, 'forgiving'));
    dueMs += (-Math.log(1 - random()) / perSecond) * 1000;
  }
  await Promise.all(answers);
  return asking.outcome();
}

/** Asks versions in turn, by their weights, and notes what it took. */
class Asking {
  readonly #load: Load;
  readonly #arms: readonly ArmTimes[];
  readonly #random = generator(11);
  readonly #startMs = performance.now();
  readonly #startCpu = process.cpuUsage();
  #answered = 0;
  #busyMs = 0;

  constructor(load: Load) {
    this.#load = load;
    this.#arms = load.versions.map(() => ({ totalMs: [], computeMs: [] }));
  }

  async ask(dueMs: number, refusals: 'strict' | 'forgiving' = 'strict'): Promise<void> {
    const { versions, row } = this.#load;
    const index = this.#pick();
    const [version, arm] = [versions[index], this.#arms[index]];
    if (version === undefined || arm === undefined) throw new Error(`there is no version ${index}`);
    let answer: InferAnswer;
    try {
      answer = await version.infer({ inputs: [row], deadlineMs: Infinity });
    } catch (error) {
      if (refusals === 'strict') throw error;
      arm.totalMs.push(Infinity);
      return;
    }
    answer.release();
    arm.totalMs.push(performance.now() - dueMs);
    arm.computeMs.push(answer.computeMs);
    this.#answered += 1;
    this.#busyMs += answer.computeMs / answer.batchRows;
  }

  outcome(): LoadOutcome {
    const tookMs = performance.now() - this.#startMs;
    const { user, system } = process.cpuUsage(this.#startCpu);
    return {
      rowsPerSecond: this.#answered / (tookMs / 1000),
      rowsPerCpuSecond: this.#answered / ((user + system) / 1e6),
      busyInstances: this.#busyMs / tookMs,
      arms: this.#arms,
    };
  }

  #pick(): number {
    const { weights } = this.#load;
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    let left = this.#random() * total;
    for (const [index, weight] of weights.entries()) {
      if (left < weight) return index;
      left -= weight;
    }
    return 0;
  }
}

/** Reproducible numbers from 0 to 1: mulberry32. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** The value below which a share of the values lies; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
