import type { Experiment } from '../../experiments/definition.ts';
import type { Comparison } from '../../experiments/mirror/compare-answers.ts';
import type { MirrorPair } from '../../experiments/mirror/mirror-fields.ts';
import { MirrorSums } from '../../experiments/mirror/mirror-sums.ts';
import type { MirroredRequest } from '../../experiments/mirror/mirror-sums.ts';
import type { ExperimentData } from '../../experiments/stores/state-store.ts';

/** Time from a comparison to its hand-over, at the most; many go together. */
const FLUSH_EVERY_MS = 1000;

/** Told of comparisons that could not be kept. */
export type OnLost = (reason: string) => void;

/** Brings what mirrors show to the state store, added up, off everybody's path. */
export class MirrorRecorder {
  readonly #store: ExperimentData;
  readonly #onLost: OnLost;
  /** By experiment and phase. */
  readonly #phases = new Map<string, MirrorSums>();
  /** Those whose earlier flips and categories have been read. */
  readonly #read = new WeakSet<MirrorSums>();
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> = Promise.resolve();

  constructor(store: ExperimentData, onLost: OnLost) {
    this.#store = store;
    this.#onLost = onLost;
  }

  compared(experiment: Experiment, pair: MirrorPair, comparison: Comparison, request: MirroredRequest): void {
    this.#sumsOf(experiment).add(pair, comparison, request);
    this.#sendSoon();
  }

  uncompared(experiment: Experiment, pair: MirrorPair, kind: 'dropped' | 'failed', reason: string): void {
    this.#sumsOf(experiment).addUncompared(pair, kind, reason);
    this.#sendSoon();
  }

  /** Hands over all there is now, and resolves when the store has kept it. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const sent = this.#sending.then(() => this.#send());
    this.#sending = sent;
    await sent;
  }

  #sumsOf({ key: experiment, phase }: Experiment): MirrorSums {
    const name = `${experiment} ${phase}`;
    let sums = this.#phases.get(name);
    if (sums === undefined) {
      sums = new MirrorSums({ experiment, phase });
      this.#phases.set(name, sums);
    }
    return sums;
  }

  #sendSoon(): void {
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_EVERY_MS);
  }

  async #send(): Promise<void> {
    for (const sums of this.#phases.values()) {
      if (sums.isEmpty) continue;
      const batch = sums.take();
      try {
        await this.#store.recordMirrors(batch);
        if (this.#read.has(sums)) continue;
        sums.know(await this.#store.mirrors(batch.experiment, batch.phase));
        this.#read.add(sums);
      } catch (error) {
        // Some of it may have been counted, so it can't be sent again.
        this.#onLost(error instanceof Error ? error.message : String(error));
      }
    }
  }
}
