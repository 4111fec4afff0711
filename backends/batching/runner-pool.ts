import type { CostModel } from './cost-model.ts';
import type { BatchRunner } from './runner.ts';

/** A batch that an instance runs now. */
export interface Run {
  readonly runner: BatchRunner;
  readonly rows: number;
  /** In `performance.now()` milliseconds. */
  readonly startMs: number;
}

/** The instances of a version: those that are idle, in the order they became so, and what the others run. */
export class RunnerPool {
  readonly #idle: BatchRunner[] = [];
  readonly #runs = new Set<Run>();
  /** Those that take no more work when their run is over. */
  readonly #retiring = new Map<BatchRunner, PromiseWithResolvers<undefined>>();

  /** Instances without work. */
  get idle(): number {
    return this.#idle.length;
  }

  /** Instances that live. */
  get size(): number {
    return this.#idle.length + this.#runs.size;
  }

  /** Adds an instance, idle. */
  add(runner: BatchRunner): void {
    this.#idle.push(runner);
  }

  /** Gives an instance that is idle no more work. */
  remove(runner: BatchRunner): void {
    const index = this.#idle.indexOf(runner);
    if (index >= 0) this.#idle.splice(index, 1);
  }

  /** Gives an instance no more work; resolves when it has none: at once, or at the end of its run. */
  async retire(runner: BatchRunner): Promise<void> {
    this.remove(runner);
    if (![...this.#runs].some((run) => run.runner === runner)) return;
    const retired = this.#retiring.get(runner) ?? Promise.withResolvers<undefined>();
    this.#retiring.set(runner, retired);
    await retired.promise;
  }

  /** Begins a run on the instance that has been idle for longest; undefined: none is. */
  begin(rows: number, startMs: number): Run | undefined {
    const runner = this.#idle.shift();
    if (runner === undefined) return undefined;
    const run = { runner, rows, startMs };
    this.#runs.add(run);
    return run;
  }

  /**
   * Ends a run.
   *
   * @param isGone whether the instance died under it, and can take no more
   */
  end(run: Run, isGone: boolean): void {
    this.#runs.delete(run);
    const retired = this.#retiring.get(run.runner);
    this.#retiring.delete(run.runner);
    retired?.resolve(undefined);
    if (!isGone && retired === undefined) this.#idle.push(run.runner);
  }

  /** Milliseconds until an instance is free, as far as can be told; 0: one is. */
  freeInMs(cost: CostModel, nowMs: number): number {
    if (this.#idle.length > 0) return 0;
    let soonestMs = Infinity;
    for (const { rows, startMs } of this.#runs) {
      const endMs = startMs + (cost.predictMs(rows) ?? 0);
      soonestMs = Math.min(soonestMs, Math.max(0, endMs - nowMs));
    }
    return soonestMs;
  }
}
