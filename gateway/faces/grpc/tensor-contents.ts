import { allocateUnsafe, bytesPerElement } from '../../../backends/tensor/datatype.ts';
import type { NumericArray, NumericDatatype } from '../../../backends/tensor/datatype.ts';
import { elementCount } from '../../../backends/tensor/tensor.ts';
import type { Tensor } from '../../../backends/tensor/tensor.ts';
import { invalid } from '../../json-values.ts';
import { bytesElement } from '../../open-inference/tensor-binary.ts';
import { WIRE, WireReader } from './wire-reader.ts';

/** The lists of InferTensorContents, by their field numbers. */
const LISTS = {
  bool_contents: 1,
  int_contents: 2,
  int64_contents: 3,
  uint_contents: 4,
  uint64_contents: 5,
  fp32_contents: 6,
  fp64_contents: 7,
  bytes_contents: 8,
} as const;

type List = keyof typeof LISTS;

/** The list that a type's elements stand in; halves have none, and go as raw bytes only. */
const LIST_OF: Readonly<Record<Exclude<Tensor['datatype'], 'FP16'>, List>> = {
  BOOL: 'bool_contents',
  INT8: 'int_contents',
  INT16: 'int_contents',
  INT32: 'int_contents',
  INT64: 'int64_contents',
  UINT8: 'uint_contents',
  UINT16: 'uint_contents',
  UINT32: 'uint_contents',
  UINT64: 'uint64_contents',
  FP32: 'fp32_contents',
  FP64: 'fp64_contents',
  BYTES: 'bytes_contents',
};

/**
 * Reads a tensor from an InferTensorContents.
 *
 * @param where how messages name the tensor
 * @throws GatewayError where the elements are not of the type, or not as many as the shape has
 */
export function tensorFromContents(
  head: { readonly name: string; readonly datatype: Tensor['datatype']; readonly shape: readonly number[] },
  contents: Uint8Array,
  where: string,
): Tensor {
  const { name, datatype, shape } = head;
  if (datatype === 'FP16') throw invalid(`${where} is FP16, which goes in raw_input_contents only`);
  const length = elementCount(shape);
  const list = new ElementReader(contents, LIST_OF[datatype], length, where, shape);
  if (datatype === 'BYTES') {
    return { name, datatype, shape, data: list.strings() };
  }
  return { name, datatype, shape, data: list.numbers(datatype) };
}

/** Goes over the one list that contents may have: packed into one field or several, or each element a field of its own. */
class ElementReader {
  readonly #reader: WireReader;
  readonly #list: List;
  readonly #length: number;
  readonly #where: string;
  readonly #shape: readonly number[];
  #count = 0;

  constructor(contents: Uint8Array, list: List, length: number, where: string, shape: readonly number[]) {
    this.#reader = new WireReader(contents);
    this.#list = list;
    this.#length = length;
    this.#where = where;
    this.#shape = shape;
    // Every element takes a byte at least: a shape can't have memory made for what was never sent.
    if (length > contents.length) throw this.#wrongCount('fewer');
  }

  strings(): readonly (string | Uint8Array)[] {
    const strings: (string | Uint8Array)[] = [];
    while (this.#nextField() !== undefined) {
      if (strings.length === this.#length) throw this.#wrongCount('more');
      strings.push(bytesElement(this.#reader.bytes()));
    }
    if (strings.length < this.#length) throw this.#wrongCount(String(strings.length));
    return strings;
  }

  numbers(datatype: Exclude<NumericDatatype, 'FP16'>): NumericArray {
    const array = allocateUnsafe(datatype, this.#length);
    const elementWire = datatype === 'FP32' ? WIRE.fixed32 : datatype === 'FP64' ? WIRE.fixed64 : WIRE.varint;
    for (let wire = this.#nextField(); wire !== undefined; wire = this.#nextField()) {
      if (wire === elementWire) this.#readOne(this.#reader, array, datatype);
      else if (elementWire === WIRE.varint) {
        const packed = this.#reader.message();
        while (!packed.isAtEnd) this.#readOne(packed, array, datatype);
      } else this.#copy(this.#reader.bytes(), array, bytesPerElement(datatype));
    }
    if (this.#count < this.#length) throw this.#wrongCount(String(this.#count));
    return array;
  }

  /** @returns the wire type of the next field, undefined at the end */
  #nextField(): number | undefined {
    if (this.#reader.isAtEnd) return undefined;
    const tag = this.#reader.tag();
    if (tag >>> 3 === LISTS[this.#list]) return tag & 7;
    const sent = Object.entries(LISTS).find(([, field]) => field === tag >>> 3)?.[0] ?? `field ${tag >>> 3}`;
    throw invalid(`${this.#where} has its elements in ${sent}; its datatype goes in ${this.#list}`);
  }

  /** Packed floats are laid out as they are in memory. */
  #copy(packed: Uint8Array, array: NumericArray, elementBytes: number): void {
    const count = packed.length / elementBytes;
    if (this.#count + count > this.#length) throw this.#wrongCount('more');
    if (!Number.isInteger(count)) throw invalid(`${this.#where} ends in the middle of an element`);
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(packed, this.#count * elementBytes);
    this.#count += count;
  }

  #readOne(reader: WireReader, array: NumericArray, datatype: NumericDatatype): void {
    const index = this.#count++;
    if (index >= this.#length) throw this.#wrongCount('more');
    if (array instanceof BigInt64Array) array[index] = reader.int64();
    else if (array instanceof BigUint64Array) array[index] = reader.uint64();
    else if (datatype === 'BOOL') array[index] = Number(reader.varint() !== 0);
    else if (datatype === 'FP32') array[index] = reader.float();
    else if (datatype === 'FP64') array[index] = reader.double();
    else {
      const value = reader.integer();
      array[index] = value;
      // What doesn't fit would have been wrapped.
      if (array[index] !== value)
        throw invalid(`${this.#where}: element ${index} is ${value}, which is not a ${datatype}`);
    }
  }

  #wrongCount(count: string): Error {
    return invalid(
      `${this.#where} has ${count} elements in ${this.#list}; its shape [${this.#shape.join(',')}] takes ${this.#length}`,
    );
  }
}
