import type { Servable } from '../servable.ts';
import type { IndexEntry } from './served-model.ts';

/** Versions that were taken out of the traffic and answer their last requests. */
export class DrainingVersions {
  readonly #closing = new Map<Servable, Promise<void>>();

  /** Frees a version as soon as it has answered all that hold it. */
  retire(version: Servable): void {
    const closed = version.close().finally(() => this.#closing.delete(version));
    this.#closing.set(version, closed);
  }

  index(): readonly IndexEntry[] {
    return [...this.#closing.keys()].map(({ model, version }) => ({
      name: model,
      version,
      state: 'UNLOADING',
      reason: '',
    }));
  }

  /** Resolves when the memory of a model's versions is free. */
  async gone(model: string): Promise<void> {
    await Promise.all(
      [...this.#closing].filter(([version]) => version.model === model).map(([, closed]) => closed),
    );
  }

  async allGone(): Promise<void> {
    await Promise.all(this.#closing.values());
  }
}
