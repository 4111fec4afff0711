import { GatewayError } from '../../errors.ts';

/** How a field's value is written: https://protobuf.dev/programming-guides/encoding/ */
export const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads protobuf's wire format in place: what has bytes is given as views of the message, never copied, and nothing is built
 * that nobody asked for. A message of tensors is mostly such bytes.
 *
 * @throws GatewayError `invalid_request`, from every method, where it isn't protobuf or breaks off
 */
export class WireReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** The next field's number times 8 plus its wire type. */
  tag(): number {
    const tag = this.varint();
    if (tag < 8 || tag > 0xffff_ffff) throw malformed('a field has a number that is none');
    return tag;
  }

  /** Whole numbers up to 2^53; beyond, the last digits are lost. Negative ones are read by {@link int64}. */
  varint(): number {
    let value = 0;
    let factor = 1;
    for (let count = 0; count < 10; count++) {
      const byte = this.#byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
    throw malformed('a whole number has more than ten bytes');
  }

  /** A whole number of 64 bits, unsigned and exact. */
  uint64(): bigint {
    const start = this.#at;
    const small = this.varint();
    if (small <= Number.MAX_SAFE_INTEGER) return BigInt(small);
    this.#at = start;
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
  }

  /** A whole number of 64 bits, signed and exact. */
  int64(): bigint {
    return BigInt.asIntN(64, this.uint64());
  }

  /** A whole number of 64 bits, exact: a bigint where a double can't hold it. */
  exact(isSigned: boolean): number | bigint {
    const value = isSigned ? this.int64() : this.uint64();
    const double = Number(value);
    return Number.isSafeInteger(double) ? double : value;
  }

  /** A signed whole number, which loses its last digits beyond 2^53. */
  integer(): number {
    const start = this.#at;
    const small = this.varint();
    if (small <= Number.MAX_SAFE_INTEGER) return small;
    this.#at = start;
    return Number(this.int64());
  }

  float(): number {
    return this.#view.getFloat32(this.#skip(4), true);
  }

  double(): number {
    return this.#view.getFloat64(this.#skip(8), true);
  }

  /** A view of the message. */
  bytes(): Uint8Array {
    const length = this.varint();
    const start = this.#skip(length);
    return this.#bytes.subarray(start, start + length);
  }

  text(): string {
    const bytes = this.bytes();
    try {
      return decoder.decode(bytes);
    } catch {
      throw malformed('a string is not UTF-8 text');
    }
  }

  /** A message inside this one. */
  message(): WireReader {
    return new WireReader(this.bytes());
  }

  /** Passes over the value of a field that nobody reads. */
  skip(tag: number): void {
    switch (tag & 7) {
      case WIRE.varint:
        this.varint();
        return;
      case WIRE.fixed64:
        this.#skip(8);
        return;
      case WIRE.bytes:
        this.bytes();
        return;
      case WIRE.fixed32:
        this.#skip(4);
        return;
      default:
        throw malformed(`a field has the wire type ${tag & 7}, which is none`);
    }
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw malformed('the message breaks off');
    this.#at += 1;
    return byte;
  }

  /** @returns where the skipped bytes start */
  #skip(length: number): number {
    const start = this.#at;
    if (length > this.#bytes.length - start) throw malformed('the message breaks off');
    this.#at = start + length;
    return start;
  }
}

function malformed(reason: string): GatewayError {
  return new GatewayError('invalid_request', `failed to parse the request: ${reason}`);
}
