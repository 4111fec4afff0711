/** The tensor types of the Open Inference Protocol that have a fixed size in bytes. */
export type NumericDatatype =
  | 'BOOL'
  | 'UINT8'
  | 'UINT16'
  | 'UINT32'
  | 'UINT64'
  | 'INT8'
  | 'INT16'
  | 'INT32'
  | 'INT64'
  | 'FP16'
  | 'FP32'
  | 'FP64';

/** The Open Inference Protocol's names of the tensor types. */
export type Datatype = NumericDatatype | 'BYTES';

/** What holds a numeric tensor: BOOL as 0 and 1 in bytes, FP16 as the 16 bits of each half. */
export type NumericArray =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Float32Array
  | Float64Array;

interface NumericType {
  readonly bytesPerElement: number;
  /** A typed array over `length` elements of `buffer`, from a byte offset that is a multiple of the element's size. */
  view(buffer: ArrayBufferLike, byteOffset: number, length: number): NumericArray;
}

type ArrayClass = new (buffer: ArrayBufferLike, byteOffset: number, length: number) => NumericArray;

function numeric(array: ArrayClass & { readonly BYTES_PER_ELEMENT: number }): NumericType {
  return {
    bytesPerElement: array.BYTES_PER_ELEMENT,
    view: (buffer, byteOffset, length) => new array(buffer, byteOffset, length),
  };
}

const NUMERIC_TYPES: Readonly<Record<NumericDatatype, NumericType>> = {
  BOOL: numeric(Uint8Array),
  UINT8: numeric(Uint8Array),
  UINT16: numeric(Uint16Array),
  UINT32: numeric(Uint32Array),
  UINT64: numeric(BigUint64Array),
  INT8: numeric(Int8Array),
  INT16: numeric(Int16Array),
  INT32: numeric(Int32Array),
  INT64: numeric(BigInt64Array),
  FP16: numeric(Uint16Array),
  FP32: numeric(Float32Array),
  FP64: numeric(Float64Array),
};

export const DATATYPES: readonly Datatype[] = [...(Object.keys(NUMERIC_TYPES) as NumericDatatype[]), 'BYTES'];

const KNOWN: ReadonlySet<string> = new Set(DATATYPES);

export function isDatatype(name: string): name is Datatype {
  return KNOWN.has(name);
}

export function bytesPerElement(datatype: NumericDatatype): number {
  return NUMERIC_TYPES[datatype].bytesPerElement;
}

/** A typed array over shared or private memory; `byteOffset` must be a multiple of the element's size. */
export function viewOf(
  datatype: NumericDatatype,
  buffer: ArrayBufferLike,
  byteOffset: number,
  length: number,
): NumericArray {
  return NUMERIC_TYPES[datatype].view(buffer, byteOffset, length);
}

/** Tensors up to this size share blocks of memory: a block for each would cost more than filling it. */
const POOLED_BYTES = 4096;

/** Memory for a tensor that is about to be filled: what it holds before is undefined. */
export function allocateUnsafe(datatype: NumericDatatype, length: number): NumericArray {
  const bytes = length * bytesPerElement(datatype);
  if (bytes > POOLED_BYTES) return viewOf(datatype, new ArrayBuffer(bytes), 0, length);
  // Node aligns what it takes from its pool to eight bytes, the largest element's size.
  const { buffer, byteOffset } = Buffer.allocUnsafe(bytes);
  return viewOf(datatype, buffer, byteOffset, length);
}

/** A tensor's elements as JavaScript numbers; 64-bit integers beyond 2^53 lose their last digits. */
export function toNumbers(datatype: NumericDatatype, data: NumericArray): readonly number[] {
  const values = datatype === 'FP16' ? new Float16Array(data.buffer, data.byteOffset, data.length) : data;
  const numbers = new Array<number>(values.length);
  for (let index = 0; index < values.length; index++) numbers[index] = Number(values[index]);
  return numbers;
}
