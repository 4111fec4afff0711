import { bytesPerElement, isDatatype, viewOf } from '../tensor/datatype.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { elementCount } from '../tensor/tensor.ts';

/** A version's answer in memory of its own, which nobody writes to. */
export interface KeptAnswer {
  readonly outputs: readonly Tensor[];
  /** What it takes in memory, roughly: its elements, and what JavaScript needs around them. */
  readonly bytes: number;
}

/** Around an answer, and around each tensor: objects, names, shapes, the key. */
const ANSWER_BYTES = 512;
const TENSOR_BYTES = 256;
/** Around each string or byte array of a BYTES tensor. */
const ELEMENT_BYTES = 32;

/** Copies what is lent. */
export function keep(outputs: readonly Tensor[]): KeptAnswer {
  return kept(
    outputs.map((output): Tensor => {
      if (output.datatype !== 'BYTES') return { ...output, data: output.data.slice() };
      const data = output.data.map((element) =>
        typeof element === 'string' ? element : Uint8Array.from(element),
      );
      return { ...output, data };
    }),
  );
}

function kept(outputs: readonly Tensor[]): KeptAnswer {
  const sizes = outputs.map((output) => TENSOR_BYTES + dataBytes(output));
  return { outputs, bytes: sizes.reduce((sum, size) => sum + size, ANSWER_BYTES) };
}

/** A string takes up to two bytes a character. */
function dataBytes({ datatype, data }: Tensor): number {
  if (datatype !== 'BYTES') return data.byteLength;
  return data.reduce(
    (sum, element) => sum + ELEMENT_BYTES + element.length * (typeof element === 'string' ? 2 : 1),
    0,
  );
}

/** The layout of what is written; a reader of another one finds nothing. */
const FORMAT = 1;
/** Where each tensor's bytes begin: a multiple of the largest element. */
const ALIGNMENT = 8;

interface WrittenTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  /** Of a BYTES tensor: each element's length, negative for what is no text. */
  readonly lengths?: readonly number[];
  readonly at: number;
}

/** Writes an answer for another process: the length of a JSON head, the head, and the tensors' bytes. */
export function writeAnswer({ outputs }: KeptAnswer): Buffer {
  const chunks: Uint8Array[] = [];
  let at = 0;
  const head = outputs.map((output): WrittenTensor => {
    const { name, datatype, shape } = output;
    const start = Math.ceil(at / ALIGNMENT) * ALIGNMENT;
    chunks.push(new Uint8Array(start - at));
    const elements = datatype === 'BYTES' ? output.data.map(encoded) : [bytesOfNumbers(output)];
    chunks.push(...elements);
    at = start + elements.reduce((sum, element) => sum + element.length, 0);
    const lengths =
      datatype === 'BYTES'
        ? output.data.map((element, index) =>
            typeof element === 'string' ? (elements[index]?.length ?? 0) : -element.length - 1,
          )
        : undefined;
    return { name, datatype, shape, at: start, ...(lengths !== undefined && { lengths }) };
  });
  const text = Buffer.from(JSON.stringify([FORMAT, head]));
  const padded = Math.ceil((text.length + 4) / ALIGNMENT) * ALIGNMENT;
  const start = Buffer.alloc(padded, ' ');
  start.writeUInt32LE(padded - 4);
  start.set(text, 4);
  return Buffer.concat([start, ...chunks]);
}

/** @returns undefined where the bytes are none of {@link writeAnswer}'s */
export function readAnswer(bytes: Uint8Array): KeptAnswer | undefined {
  try {
    // In memory of its own and at its start, so that views of it are aligned.
    const own = Uint8Array.from(bytes);
    const headBytes = new DataView(own.buffer).getUint32(0, true);
    const [format, head] = JSON.parse(new TextDecoder().decode(own.subarray(4, 4 + headBytes))) as [
      unknown,
      readonly WrittenTensor[],
    ];
    if (format !== FORMAT) return undefined;
    const start = 4 + headBytes;
    return kept(head.map((tensor) => readTensor(own, start, tensor)));
  } catch {
    return undefined;
  }
}

function readTensor(own: Uint8Array<ArrayBuffer>, start: number, written: WrittenTensor): Tensor {
  const { name, datatype, shape, at, lengths = [] } = written;
  if (!isDatatype(datatype)) throw new TypeError(`${datatype} is no datatype`);
  if (datatype !== 'BYTES') {
    const length = elementCount(shape);
    if (start + at + length * bytesPerElement(datatype) > own.length) throw new RangeError('it is cut off');
    return { name, datatype, shape, data: viewOf(datatype, own.buffer, start + at, length) };
  }
  let offset = start + at;
  const data = lengths.map((length) => {
    const size = length < 0 ? -length - 1 : length;
    const element = own.subarray(offset, offset + size);
    offset += size;
    return length < 0 ? element : new TextDecoder('utf-8', { ignoreBOM: true }).decode(element);
  });
  if (offset > own.length || data.length !== elementCount(shape)) throw new RangeError('it is cut off');
  return { name, datatype, shape, data };
}

const encoder = new TextEncoder();

function encoded(element: string | Uint8Array): Uint8Array {
  return typeof element === 'string' ? encoder.encode(element) : element;
}

function bytesOfNumbers(tensor: Tensor): Uint8Array {
  if (tensor.datatype === 'BYTES') throw new TypeError('texts are no numbers');
  return new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
}
