import type { Exposure, ExposureSink, OnDrop } from './exposure.ts';

/** Time from an exposure to its hand-over, at the most; many go together. */
const FLUSH_EVERY_MS = 100;

/** Exposures that wait for their hand-over; one more is dropped. */
const MAX_PENDING = 32_768;

/** Exposures that are handed over in one turn of the event loop, so that no turn is long for it. */
const EXPOSURES_A_TURN = 256;

/**
 * Takes note of exposures off the requests' path: a request only leaves its record in a bounded list, and waits for nothing.
 * The sinks get them a little later, all the same ones in the same order.
 */
export class ExposureRecorder {
  readonly #sinks: readonly ExposureSink[];
  readonly #onDrop: OnDrop;
  #pending: Exposure[] = [];
  #timer: NodeJS.Timeout | undefined;
  #turn: NodeJS.Immediate | undefined;

  constructor(sinks: readonly ExposureSink[], onDrop: OnDrop) {
    this.#sinks = sinks;
    this.#onDrop = onDrop;
  }

  record(exposure: Exposure): void {
    if (this.#pending.length >= MAX_PENDING) {
      for (const { name } of this.#sinks) this.#onDrop(name, 1, 'exposures came faster than they are taken');
      return;
    }
    this.#pending.push(exposure);
    if (this.#turn === undefined)
      this.#timer ??= setTimeout(() => {
        this.#handOverInTurns();
      }, FLUSH_EVERY_MS);
  }

  /** Hands over all there is now. */
  handOver(): void {
    this.#stop();
    const exposures = this.#pending;
    this.#pending = [];
    if (exposures.length > 0) for (const sink of this.#sinks) sink.accept(exposures);
  }

  /** Hands over all there is now, and resolves when the sinks have kept it. */
  async flush(): Promise<void> {
    this.handOver();
    await Promise.all(this.#sinks.map((sink) => sink.flush()));
  }

  async close(): Promise<void> {
    await this.flush();
    await Promise.all(this.#sinks.map((sink) => sink.close()));
  }

  #handOverInTurns(): void {
    this.#stop();
    const part = this.#pending.splice(0, EXPOSURES_A_TURN);
    for (const sink of this.#sinks) sink.accept(part);
    if (this.#pending.length === 0) return;
    this.#turn = setImmediate(() => {
      this.#handOverInTurns();
    });
  }

  #stop(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#turn);
    this.#timer = undefined;
    this.#turn = undefined;
  }
}
