/** The memory that all keys share, one after the other; one that needs more has more for itself. */
const SHARED_BYTES = 64 * 1024;

/** A longer part is not copied: telling a hash of it costs less. */
const COPIED_BYTES = 16 * 1024;

const NUMBER_BYTES = 8;

const shared = Buffer.allocUnsafeSlow(SHARED_BYTES);

/**
 * Bytes that stand for a series of numbers, words and parts, so that no two series have the same. It is in memory that the next
 * {@link KeyText.begin} writes to: what outlives the turn that it was begun in has to be a {@link KeyText.copy}.
 */
export class KeyText {
  #buffer = shared;
  #end = 0;

  private constructor() {
    // Begun by `begin` only.
  }

  static begin(...words: readonly string[]): KeyText {
    const text = new KeyText();
    for (const word of words) text.word(word);
    return text;
  }

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#end);
  }

  copy(): Uint8Array {
    return Uint8Array.from(this.bytes);
  }

  count(value: number): void {
    this.#makeRoom(NUMBER_BYTES);
    this.#end = this.#buffer.writeDoubleLE(value, this.#end);
  }

  /** Its UTF-16, as halves of characters would all become one in UTF-8. */
  word(text: string): void {
    this.count(text.length);
    this.#makeRoom(2 * text.length);
    this.#end += this.#buffer.write(text, this.#end, 'utf16le');
  }

  /**
   * Adds a part whose length was counted before.
   *
   * @returns false where it is too long to be copied, or there is no room; then nothing is added
   */
  add(part: Uint8Array): boolean {
    if (part.length > COPIED_BYTES || this.#end + part.length > this.#buffer.length) return false;
    this.#buffer.set(part, this.#end);
    this.#end += part.length;
    return true;
  }

  #makeRoom(bytes: number): void {
    if (this.#end + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * (this.#end + bytes));
    larger.set(this.bytes);
    this.#buffer = larger;
  }
}
