import type { Batcher } from '../batching/batcher.ts';
import type { FaultIsolatingRunner } from '../batching/fault-isolating-runner.ts';
import { BackendError } from '../errors.ts';
import type { InstanceCounts } from '../servable.ts';
import type { OnnxInstance } from './instance.ts';

/** What of an instance's runs the crew wants to know. */
export interface RunEvents {
  /** A run goes on past its limit. */
  readonly onHung: () => void;
  /** It has ended after all. */
  readonly onRecovered: () => void;
}

export interface CrewOptions {
  readonly model: string;
  readonly version: number;
  /** Instances that there should be, >= 1. */
  readonly wanted: number;
  readonly batcher: Batcher;
  /**
   * Starts an instance that is ready to serve.
   *
   * @param index how many were started before it
   */
  readonly start: (index: number) => Promise<OnnxInstance>;
  /** What the batcher knows an instance by. */
  readonly runnerOf: (instance: OnnxInstance, events: RunEvents) => FaultIsolatingRunner;
  /** A worker that died is replaced. */
  readonly onRestart: (reason: string) => void;
  /** So many hang now. */
  readonly onHang: (hung: number, wanted: number) => void;
}

/** Time between two tries to replace a worker that can't be started. */
const RESTART_DELAY_MS = 1000;

/** The instances of a version: as many as are wanted, the dead replaced, those that hang given no work until they are back. */
export class InstanceCrew {
  readonly #options: CrewOptions;
  /** Each with what the batcher knows it by. */
  readonly #instances = new Map<OnnxInstance, FaultIsolatingRunner>();
  /** Those whose run goes on past its limit. */
  readonly #hung = new Set<OnnxInstance>();
  /** Instances that were taken away while they hung. */
  readonly #leaving = new Set<Promise<void>>();
  readonly #closing = Promise.withResolvers<undefined>();
  /** Instances that were ever started. */
  #started = 0;
  #wanted: number;
  /** Changes of the number of instances, one after the other. */
  #resizing: Promise<void> = Promise.resolve();
  #isClosing = false;

  constructor(options: CrewOptions) {
    this.#options = options;
    this.#wanted = options.wanted;
  }

  get counts(): InstanceCounts {
    const hung = this.#hung.size;
    return { ready: this.#instances.size - hung, hung, wanted: this.#wanted };
  }

  /** @throws BackendError where a run of each hangs */
  refuseWhereAllHang(): void {
    if (this.#hung.size >= this.#wanted) throw this.#allHang();
  }

  /** Gives an instance its place, and work. */
  adopt(instance: OnnxInstance): void {
    const { batcher, runnerOf } = this.#options;
    this.#started += 1;
    const runner = runnerOf(instance, {
      onHung: () => {
        this.#hung.add(instance);
        this.#tellHang();
        if (this.#hung.size >= this.#wanted) batcher.failQueued(this.#allHang());
      },
      onRecovered: () => {
        if (!this.#hung.delete(instance)) return;
        this.#tellHang();
        batcher.addRunner(runner);
      },
    });
    this.#instances.set(instance, runner);
    batcher.addRunner(runner);
    void instance.died.then((reason) => {
      this.#instances.delete(instance);
      this.#hung.delete(instance);
      batcher.removeRunner(runner);
      return this.#replace(reason);
    });
  }

  /**
   * Grows by starting workers, shrinks by having one after the other finish its batch. One change at a time: a call during another
   * waits for it.
   *
   * @param count >= 1
   * @throws RangeError where the count is no whole number above 0; Error where a worker can't be started (those that were
   *   started stay) or the version is closed
   */
  resize(count: number): Promise<void> {
    if (!Number.isInteger(count) || count < 1) {
      return Promise.reject(new RangeError(`a version has a whole number of instances > 0, not ${count}`));
    }
    const resized = this.#resizing.then(() => this.#resizeTo(count));
    this.#resizing = resized.catch(() => undefined);
    return resized;
  }

  /** To be called when nothing is queued any more. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#closing.resolve(undefined);
    await this.#resizing;
    await Promise.all([...this.#leaving, ...[...this.#instances.keys()].map((instance) => instance.close())]);
  }

  async #resizeTo(count: number): Promise<void> {
    const { model, version, batcher, start } = this.#options;
    while (this.#wanted < count) {
      if (this.#isClosing) throw new Error(`version ${version} of '${model}' is closed`);
      this.adopt(await start(this.#started));
      this.#wanted += 1;
    }
    while (this.#wanted > count) {
      this.#wanted -= 1;
      const newestFirst = [...this.#instances].toReversed();
      // One that hangs serves nobody, so it goes first.
      const leaving = newestFirst.find(([instance]) => this.#hung.has(instance)) ?? newestFirst[0];
      // Where a worker has died, the one that would replace it is the one that goes.
      if (leaving === undefined || this.#instances.size <= this.#wanted) continue;
      const [instance, runner] = leaving;
      this.#instances.delete(instance);
      if (this.#hung.delete(instance)) {
        this.#tellHang();
        // A thread can't be stopped in the middle of a run, and the next change must not wait for one that may never end.
        this.#leaving.add(instance.close());
        continue;
      }
      await batcher.retireRunner(runner);
      await instance.close();
    }
  }

  #tellHang(): void {
    this.#options.onHang(this.#hung.size, this.#wanted);
  }

  #allHang(): BackendError {
    const { model, version } = this.#options;
    return new BackendError(
      'unavailable',
      `model '${model}' version ${version} is not ready: a run of each of its instances hangs`,
    );
  }

  /** Starts a worker in the place of one that died, until it succeeds, or is not wanted any more, or the version is closed. */
  async #replace(reason: string): Promise<void> {
    const { batcher, start, onRestart } = this.#options;
    let why = reason;
    while (this.#isWanted()) {
      onRestart(why);
      try {
        const instance = await start(this.#started);
        // While the worker started, the version may have been closed, or may have come to want fewer.
        if (this.#isWanted()) this.adopt(instance);
        else await instance.close();
        return;
      } catch (error) {
        why = error instanceof Error ? error.message : String(error);
        if (this.counts.ready === 0) batcher.failQueued(new BackendError('unavailable', why));
        await this.#pauseBeforeRestart();
      }
    }
  }

  #isWanted(): boolean {
    return !this.#isClosing && this.#instances.size < this.#wanted;
  }

  /** Ends early when the version is closed. */
  async #pauseBeforeRestart(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const waited = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, RESTART_DELAY_MS);
    });
    await Promise.race([waited, this.#closing.promise]);
    clearTimeout(timer);
  }
}
