/** A key of 64 bits, as two halves of 32. */
export interface Key {
  readonly high: number;
  readonly low: number;
}

const HEXADECIMAL = /^[0-9a-f]{16}$/;

/**
 * @param text 16 hexadecimal digits
 * @throws RangeError where it is anything else
 */
export function parseKey(text: string): Key {
  if (!HEXADECIMAL.test(text))
    throw new RangeError(`"${text.slice(0, 32)}" is no key; expected 16 hexadecimal digits`);
  return { high: Number.parseInt(text.slice(0, 8), 16), low: Number.parseInt(text.slice(8), 16) };
}

export function keyText(high: number, low: number): string {
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}

const FIRST_ROWS = 64;

/**
 * Numbers keys by the order in which they came, from 0: a key's row in columns that others keep. Open addressing with linear
 * probing, at most half full; a key takes 16 to 32 bytes and no object of its own.
 */
export class KeyIndex {
  #high = new Uint32Array(FIRST_ROWS);
  #low = new Uint32Array(FIRST_ROWS);
  /** Each a row plus one; 0 where nothing is. A power of two of them. */
  #slots = new Uint32Array(2 * FIRST_ROWS);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Rows that there is room for; columns grow with it. */
  get capacity(): number {
    return this.#high.length;
  }

  /** @returns -1 where the key has not come */
  find({ high, low }: Key): number {
    const row = this.#slots[this.#slotOf(high, low)] ?? 0;
    return row - 1;
  }

  /** @param key one that has not come */
  add({ high, low }: Key): number {
    if (this.#size === this.#high.length) this.#grow();
    const row = this.#size++;
    this.#high[row] = high;
    this.#low[row] = low;
    this.#slots[this.#slotOf(high, low)] = row + 1;
    return row;
  }

  keyAt(row: number): Key {
    return { high: this.#high[row] ?? 0, low: this.#low[row] ?? 0 };
  }

  /** Where the key is, or where it would go. */
  #slotOf(high: number, low: number): number {
    const mask = this.#slots.length - 1;
    let slot = mixed(high, low) & mask;
    for (;;) {
      const row = (this.#slots[slot] ?? 0) - 1;
      if (row < 0 || (this.#low[row] === low && this.#high[row] === high)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #grow(): void {
    this.#high = grown(this.#high, 2 * this.#high.length);
    this.#low = grown(this.#low, 2 * this.#low.length);
    this.#slots = new Uint32Array(2 * this.#slots.length);
    for (let row = 0; row < this.#size; row++) {
      const { high, low } = this.keyAt(row);
      this.#slots[this.#slotOf(high, low)] = row + 1;
    }
  }
}

/** Neighbouring keys far from each other: MurmurHash3's finaliser over both halves. */
function mixed(high: number, low: number): number {
  let hash = low ^ Math.imul(high, 0x9e37_79b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** A copy of a column with room for more. */
export function grown<Values extends Uint8Array | Uint16Array | Uint32Array | Float64Array>(
  values: Values,
  length: number,
): Values {
  const larger = new (values.constructor as new (length: number) => Values)(length);
  larger.set(values);
  return larger;
}
