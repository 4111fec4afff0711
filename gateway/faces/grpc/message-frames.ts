/** A flag that says whether it is compressed, and its length. */
const HEAD_BYTES = 5;

/**
 * Follows a call's bytes, and knows where its messages begin and end in them.
 *
 * Source: gRPC over HTTP/2, "Length-Prefixed-Message".
 */
export class MessageFrames {
  readonly #head = Buffer.alloc(HEAD_BYTES);
  /** Bytes of the head that are there; all of them: the message's own bytes are coming. */
  #headBytes = 0;
  #leftBytes = 0;

  /** Whether a message has begun, and has not come whole. */
  get isMidway(): boolean {
    return this.#headBytes > 0;
  }

  /** @returns how long the messages were that ended in these bytes, with their heads */
  read(bytes: Buffer): readonly number[] {
    const ended: number[] = [];
    let at = 0;
    while (at < bytes.length) {
      if (this.#headBytes < HEAD_BYTES) {
        const taken = bytes.copy(this.#head, this.#headBytes, at);
        this.#headBytes += taken;
        at += taken;
        if (this.#headBytes < HEAD_BYTES) break;
        this.#leftBytes = this.#head.readUInt32BE(1);
      }
      const taken = Math.min(this.#leftBytes, bytes.length - at);
      this.#leftBytes -= taken;
      at += taken;
      if (this.#leftBytes > 0) break;
      ended.push(HEAD_BYTES + this.#head.readUInt32BE(1));
      this.#headBytes = 0;
    }
    return ended;
  }
}
