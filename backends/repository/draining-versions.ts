import type { Servable } from '../servable.ts';
import type { IndexEntry } from './served-model.ts';

export interface DrainingOptions {
  /** A version that has not gone after so long is told of, once, in milliseconds. */
  readonly patienceMs: number;
  /** @param reason what it waits for */
  readonly onLingering: (model: string, version: number, reason: string) => void;
}

/** Versions that were taken out of the traffic and answer their last requests. */
export class DrainingVersions {
  readonly #options: DrainingOptions;
  readonly #closing = new Map<Servable, Promise<void>>();

  constructor(options: DrainingOptions) {
    this.#options = options;
  }

  get all(): readonly Servable[] {
    return [...this.#closing.keys()];
  }

  /** Frees a version as soon as it has answered all that hold it. */
  retire(version: Servable): void {
    const { patienceMs, onLingering } = this.#options;
    const timer = setTimeout(() => {
      onLingering(
        version.about.model,
        version.about.version,
        hangOf(version) ?? 'its last requests are not answered yet',
      );
    }, patienceMs).unref();
    const closed = version.close().finally(() => {
      clearTimeout(timer);
      this.#closing.delete(version);
    });
    this.#closing.set(version, closed);
  }

  index(): readonly IndexEntry[] {
    return this.all.map((version) => ({
      name: version.about.model,
      version: version.about.version,
      state: 'UNLOADING',
      reason: hangOf(version) ?? '',
    }));
  }

  /**
   * Resolves when the memory of a model's versions is free, or at a time: a run that hangs can't be ended, and may go on for ever.
   *
   * @param untilMs of `performance.now()`
   */
  async gone(model: string, untilMs: number): Promise<void> {
    const closing = [...this.#closing]
      .filter(([version]) => version.about.model === model)
      .map(([, gone]) => gone);
    if (closing.length === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const isTime = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, Math.max(0, untilMs - performance.now()));
    });
    try {
      await Promise.race([Promise.all(closing), isTime]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves when all are gone, however long that takes. */
  async allGone(): Promise<void> {
    await Promise.all(this.#closing.values());
  }
}

/** What a version waits for that can't be ended; undefined where it waits for nothing of the kind. */
function hangOf({ instances }: Servable): string | undefined {
  const hung = instances?.hung ?? 0;
  if (hung === 0) return undefined;
  return `a run of ${hung} of its instances goes on past its limit; its memory is freed when that ends`;
}
