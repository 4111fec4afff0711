/** Blocks are powers of two from here on, so that a few of them serve every batch size. */
const SMALLEST_BYTES = 4096;

/** Free blocks kept, and their bytes together; what was free for longest beyond that is left to the garbage collector. */
const MOST_KEPT = 64;
const MOST_KEPT_BYTES = 64 * 1024 * 1024;

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
  /** The one that was given back last stands last. */
  readonly #free: SharedArrayBuffer[] = [];
  #freeBytes = 0;
  #lent = 0;

  /** Slabs that somebody still holds a share of. */
  get lent(): number {
    return this.#lent;
  }

  /** Bytes of the blocks that wait for their next use. */
  get freeBytes(): number {
    return this.#freeBytes;
  }

  /**
   * @param bytes how much is needed; the slab has at least that
   * @param shares how many times it will be given back
   */
  lease(bytes: number, shares: number): Slab {
    const size = Math.max(SMALLEST_BYTES, 2 ** Math.ceil(Math.log2(bytes)));
    const at = this.#free.findLastIndex(({ byteLength }) => byteLength === size);
    const [kept] = at < 0 ? [] : this.#free.splice(at, 1);
    if (kept !== undefined) this.#freeBytes -= size;
    this.#lent += 1;
    return new Slab(kept ?? new SharedArrayBuffer(size), shares, (returned) => {
      this.#lent -= 1;
      this.#keep(returned);
    });
  }

  /** The last one is kept whatever its size: a model whose batches are large needs it for the next one. */
  #keep(buffer: SharedArrayBuffer): void {
    this.#free.push(buffer);
    this.#freeBytes += buffer.byteLength;
    while (this.#free.length > 1 && (this.#free.length > MOST_KEPT || this.#freeBytes > MOST_KEPT_BYTES))
      this.#freeBytes -= this.#free.shift()?.byteLength ?? 0;
  }
}
