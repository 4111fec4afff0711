/** Blocks are powers of two from here on, so that a few of them serve every batch size. */
const SMALLEST_BYTES = 4096;

/** Free blocks kept of each size; more are left to the garbage collector. */
const KEPT_PER_SIZE = 4;

/** Where a tensor may start in a slab: a cache line, which suits every element type. */
export const SLAB_ALIGNMENT = 64;

/** Shared memory that both sides of a batch use, lent until everybody who holds a share has given it back. */
export class Slab {
  readonly buffer: SharedArrayBuffer;
  #shares: number;
  readonly #takeBack: (buffer: SharedArrayBuffer) => void;

  constructor(buffer: SharedArrayBuffer, shares: number, takeBack: (buffer: SharedArrayBuffer) => void) {
    this.buffer = buffer;
    this.#shares = shares;
    this.#takeBack = takeBack;
  }

  /** Gives one share back. */
  release(): void {
    this.#shares -= 1;
    if (this.#shares === 0) this.#takeBack(this.buffer);
    if (this.#shares < 0) throw new Error('a share of a slab was given back twice');
  }
}

/** Keeps the memory of finished batches for the next ones. */
export class SlabPool {
  readonly #free = new Map<number, SharedArrayBuffer[]>();
  #lent = 0;

  /** Slabs that somebody still holds a share of. */
  get lent(): number {
    return this.#lent;
  }

  /**
   * @param bytes how much is needed; the slab has at least that
   * @param shares how many times it will be given back
   */
  lease(bytes: number, shares: number): Slab {
    const size = Math.max(SMALLEST_BYTES, 2 ** Math.ceil(Math.log2(bytes)));
    const buffer = this.#free.get(size)?.pop() ?? new SharedArrayBuffer(size);
    this.#lent += 1;
    return new Slab(buffer, shares, (returned) => {
      this.#lent -= 1;
      const kept = this.#free.get(size) ?? [];
      if (kept.length < KEPT_PER_SIZE) kept.push(returned);
      this.#free.set(size, kept);
    });
  }
}
