import { WIRE } from './wire-reader.ts';

const START_BYTES = 512;

/** Writes protobuf's wire format into one growing block. Fields that have their default are left out, as proto3 has it. */
export class WireWriter {
  #block: Buffer;
  #length = 0;

  /** @param expectedBytes what the message is likely to take, so that a large one isn't copied as it grows */
  constructor(expectedBytes = 0) {
    this.#block = Buffer.allocUnsafe(Math.max(START_BYTES, expectedBytes));
  }

  text(field: number, text: string): void {
    if (text === '') return;
    const length = Buffer.byteLength(text);
    this.#head(field, length);
    this.#block.write(text, this.#length, 'utf8');
    this.#length += length;
  }

  /** Written where it is empty too, as an element of a list. */
  bytes(field: number, bytes: Uint8Array): void {
    this.#head(field, bytes.length);
    this.#block.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  message(field: number, message: WireWriter): void {
    this.bytes(field, message.written());
  }

  /** A flag that is written where it is false too, as the choice of a oneof. */
  flag(field: number, value: boolean): void {
    this.#reserve(12);
    this.#varint(field * 8 + WIRE.varint);
    this.#varint(Number(value));
  }

  /** A packed list of whole numbers from 0 to 2^53. */
  packedVarints(field: number, values: readonly number[]): void {
    if (values.length === 0) return;
    const packed = new WireWriter();
    packed.#reserve(values.length * 10);
    for (const value of values) packed.#varint(value);
    this.message(field, packed);
  }

  /** A view of what was written. */
  written(): Buffer {
    return this.#block.subarray(0, this.#length);
  }

  #head(field: number, length: number): void {
    this.#reserve(20 + length);
    this.#varint(field * 8 + WIRE.bytes);
    this.#varint(length);
  }

  #varint(value: number): void {
    let rest = value;
    while (rest > 0x7f) {
      this.#block[this.#length++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#block[this.#length++] = rest;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#block.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#block.length * 2));
    this.#block.copy(grown, 0, 0, this.#length);
    this.#block = grown;
  }
}
