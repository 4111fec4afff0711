import type { Logger } from 'pino';
import { formatProblem } from '../../documents/problem.ts';
import type { KeyStore } from './key-store.ts';
import { StoredKeys } from './stored-keys.ts';

/** Between two looks: an edit of a file counts when two of them saw the same, and a revoked key must be dead within a second. */
const LOOK_EVERY_MS = 200;

/** Follows the keys while the gateway runs. */
export class KeyWatch {
  readonly #keys: KeyStore;
  readonly #log: Logger;
  readonly #onReload: (result: 'success' | 'failure') => void;
  #timer: NodeJS.Timeout | undefined;
  #look: Promise<void> = Promise.resolve();
  #isOn = false;
  #unwatch: () => void = () => undefined;

  constructor(keys: KeyStore, log: Logger, onReload: (result: 'success' | 'failure') => void) {
    this.#keys = keys;
    this.#log = log;
    this.#onReload = onReload;
  }

  start(): void {
    this.#isOn = true;
    if (this.#keys.ring.keys.length === 0) {
      this.#log.warn(
        { keys: this.#keys.place },
        'nobody has a key yet, so nobody is let in: signalbox keys create',
      );
    }
    if (this.#keys instanceof StoredKeys) {
      this.#unwatch = this.#keys.watch(() => {
        this.lookSoon(0);
      });
    }
    this.lookSoon(LOOK_EVERY_MS);
  }

  /** Has the keys looked at after so long, and not in between. */
  lookSoon(afterMs: number): void {
    if (!this.#isOn) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#look = this.#look
        .then(() => this.#lookOnce())
        .catch((error: unknown) => {
          this.#log.error({ err: error }, 'the keys could not be looked at; the last good ones stay');
        })
        .then(() => {
          this.lookSoon(LOOK_EVERY_MS);
        });
    }, afterMs);
  }

  async stop(): Promise<void> {
    this.#isOn = false;
    this.#unwatch();
    clearTimeout(this.#timer);
    await this.#look;
  }

  async #lookOnce(): Promise<void> {
    const { place } = this.#keys;
    const look = await this.#keys.refresh();
    switch (look.kind) {
      case 'same':
        return;
      case 'changed':
        this.#onReload('success');
        this.#log.info({ keys: look.count, place }, 'keys took effect');
        return;
      case 'refused':
        this.#onReload('failure');
        this.#log.error(
          { place, problems: look.problems.map(formatProblem) },
          'keys refused; the last good ones stay',
        );
    }
  }
}
