import type { FileHandle } from 'node:fs/promises';

/** A field of a protobuf message, where it stands in a file: what it holds is read by whoever wants it. */
export interface Field {
  readonly number: number;
  /** Of a number: what it is. Of anything else: 0. */
  readonly value: number;
  /** Of a text, bytes or a message: where its content begins and ends in the file. Of anything else both are the same. */
  readonly start: number;
  readonly end: number;
}

/** What stands in a file is no protobuf message. */
export class MalformedMessage extends Error {}

/** Read of the file at once. A graph's nodes are many and small; its weights are few and passed over. */
const WINDOW_BYTES = 16 * 1024;

/** The longest tag, number and length that a field begins with. */
const MAX_HEAD_BYTES = 20;

/** Many times what the largest graphs have; a file of empty fields ends here, after a second or two. */
const MAX_FIELDS = 2_000_000;

/** A name is a line of text. */
const MAX_TEXT_BYTES = 4 * 1024;

/**
 * Walks over the fields of protobuf messages in a file, front to back. Only the heads of fields are read, so that a model of gigabytes costs as much as
 * its graph. https://protobuf.dev/programming-guides/encoding/
 */
export class MessageFile {
  readonly #handle: FileHandle;
  readonly size: number;
  readonly #window = Buffer.alloc(WINDOW_BYTES);
  /** What of the file the window holds. */
  #from = 0;
  #upTo = 0;
  #fields = 0;

  constructor(handle: FileHandle, size: number) {
    this.#handle = handle;
    this.size = size;
  }

  /** @throws MalformedMessage where it is no message from there to there */
  async *fields(start = 0, end = this.size): AsyncGenerator<Field, void, undefined> {
    let at = start;
    while (at < end) {
      this.#fields += 1;
      if (this.#fields > MAX_FIELDS) throw new MalformedMessage(`it has more than ${MAX_FIELDS} fields`);
      if (at < this.#from || Math.min(at + MAX_HEAD_BYTES, end) > this.#upTo) await this.#read(at);
      const field = this.#fieldAt(at, end);
      yield field;
      at = field.end;
    }
  }

  /** @throws MalformedMessage where it is too long to be a name */
  async text({ start, end }: Field): Promise<string> {
    const bytes = end - start;
    if (bytes > MAX_TEXT_BYTES) throw new MalformedMessage(`a name of ${bytes} bytes is at byte ${start}`);
    if (start < this.#from || end > this.#upTo) await this.#read(start);
    return this.#window.toString('utf8', start - this.#from, end - this.#from);
  }

  async #read(at: number): Promise<void> {
    const { bytesRead } = await this.#handle.read(this.#window, 0, WINDOW_BYTES, at);
    [this.#from, this.#upTo] = [at, at + bytesRead];
  }

  #fieldAt(at: number, end: number): Field {
    const tag = this.#varint(at, end);
    const [number, wireType] = [Math.floor(tag.value / 8), tag.value % 8];
    if (number === 0) throw new MalformedMessage(`byte ${at} begins no field`);
    const ends = (start: number, bytes: number, value = 0): Field => {
      if (start + bytes > end)
        throw new MalformedMessage(`it is cut off: what begins at byte ${at} has ${bytes} bytes`);
      return { number, value, start, end: start + bytes };
    };
    switch (wireType) {
      case 0: {
        const { value, next } = this.#varint(tag.next, end);
        return { number, value, start: next, end: next };
      }
      case 1:
        return ends(tag.next, 8);
      case 2: {
        const { value, next } = this.#varint(tag.next, end);
        return ends(next, value);
      }
      case 5:
        return ends(tag.next, 4);
      default:
        throw new MalformedMessage(`byte ${at} begins no field`);
    }
  }

  /** Above 2^53 it is no longer exact, which no tag, length or dimension is; negative ones come out above 2^63. */
  #varint(at: number, end: number): { readonly value: number; readonly next: number } {
    let value = 0;
    for (let place = 0; place < 10; place++) {
      const byte = at + place < end ? this.#window[at + place - this.#from] : undefined;
      if (byte === undefined || at + place >= this.#upTo)
        throw new MalformedMessage(`it is cut off at byte ${at + place}`);
      value += (byte & 0x7f) * 2 ** (7 * place);
      if (byte < 0x80) return { value, next: at + place + 1 };
    }
    throw new MalformedMessage(`byte ${at} begins no number`);
  }
}
