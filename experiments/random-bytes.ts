import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 4096;

/**
 * Random bytes in small pieces from the system's generator, drawn a few kilobytes at a time: one call of the generator
 * costs as much for 8 bytes as for hundreds.
 */
export class RandomPool {
  readonly #pool = Buffer.allocUnsafeSlow(POOL_BYTES);
  #used = POOL_BYTES;

  /** Writes a few random bytes, at most 256, that nobody else gets. */
  writeTo(target: Buffer, offset: number, bytes: number): void {
    if (this.#used + bytes > POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    for (let index = 0; index < bytes; index++) target[offset + index] = this.#pool[this.#used++] ?? 0;
  }
}
