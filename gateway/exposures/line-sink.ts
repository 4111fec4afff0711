import type { Exposure, ExposureSink, OnDrop } from './exposure.ts';
import { exposureLine } from './exposure-line.ts';

/** Where lines go. */
export interface LineTarget {
  readonly name: 'file' | 'redis';
  /** Keeps all of them, or throws. */
  write(lines: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/** Lines that wait while the target is busy; one more is dropped. */
const MAX_WAITING_LINES = 50_000;

/** Writes exposures as lines, one write at a time; what comes meanwhile waits, within bounds. */
export class LineSink implements ExposureSink {
  readonly #target: LineTarget;
  readonly #onDrop: OnDrop;
  #waiting: string[] = [];
  #writing: Promise<void> | undefined;

  constructor(target: LineTarget, onDrop: OnDrop) {
    this.#target = target;
    this.#onDrop = onDrop;
  }

  get name(): LineTarget['name'] {
    return this.#target.name;
  }

  accept(exposures: readonly Exposure[]): void {
    const room = Math.max(0, MAX_WAITING_LINES - this.#waiting.length);
    if (exposures.length > room)
      this.#onDrop(this.name, exposures.length - room, 'lines came faster than they are written');
    for (const exposure of exposures.slice(0, room)) this.#waiting.push(exposureLine(exposure));
    if (this.#waiting.length > 0) this.#writing ??= this.#write();
  }

  async flush(): Promise<void> {
    await this.#writing;
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#target.close();
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const lines = this.#waiting;
      this.#waiting = [];
      try {
        await this.#target.write(lines);
      } catch (error) {
        this.#onDrop(this.name, lines.length, error instanceof Error ? error.message : String(error));
      }
    }
    this.#writing = undefined;
  }
}
