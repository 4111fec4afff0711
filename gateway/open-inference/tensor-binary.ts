import { isUtf8 } from 'node:buffer';
import { allocateUnsafe, bytesPerElement, viewOf } from '../../backends/tensor/datatype.ts';
import type { Tensor } from '../../backends/tensor/tensor.ts';
import { elementCount } from '../../backends/tensor/tensor.ts';
import { invalid } from '../json-values.ts';

/** Strings are little-endian lengths of four bytes, each followed by as many bytes. */
const LENGTH_BYTES = 4;

// Without its own check, which has been made; a byte order mark is part of the text.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();

/**
 * Reads a tensor from the bytes of the binary tensor data extension: little-endian, row-major.
 *
 * @param where how messages name the tensor
 * @throws GatewayError where the number of bytes doesn't fit the shape
 */
export function tensorFromBytes(
  head: { readonly name: string; readonly datatype: Tensor['datatype']; readonly shape: readonly number[] },
  bytes: Uint8Array,
  where: string,
): Tensor {
  const { name, datatype, shape } = head;
  const length = elementCount(shape);
  if (datatype === 'BYTES') return { name, datatype, shape, data: stringsFromBytes(bytes, length, where) };
  const expected = length * bytesPerElement(datatype);
  if (bytes.length !== expected) {
    throw invalid(
      `${where} has binary_data_size ${bytes.length}; ${datatype} of shape [${shape.join(',')}] takes ${expected} bytes`,
    );
  }
  if (datatype === 'BOOL') {
    // A function for each would take ten times as long, of which a large body notices.
    for (let index = 0; index < length; index++) {
      const byte = bytes[index] ?? 0;
      if (byte > 1) throw invalid(`${where} has the byte ${byte} in its element ${index}; a BOOL is 0 or 1`);
    }
  }
  // A view needs an offset that is a multiple of the element's size, which the body doesn't promise.
  if (bytes.byteOffset % bytesPerElement(datatype) === 0) {
    return { name, datatype, shape, data: viewOf(datatype, bytes.buffer, bytes.byteOffset, length) };
  }
  const data = allocateUnsafe(datatype, length);
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength).set(bytes);
  return { name, datatype, shape, data };
}

/** An element of a BYTES tensor: as text where it is UTF-8, else as it is. Whether a model takes that is its own affair. */
export function bytesElement(bytes: Uint8Array): string | Uint8Array {
  return isUtf8(bytes) ? decoder.decode(bytes) : bytes;
}

function stringsFromBytes(
  bytes: Uint8Array,
  length: number,
  where: string,
): readonly (string | Uint8Array)[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const strings: (string | Uint8Array)[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const from = offset + LENGTH_BYTES;
    const to = from <= bytes.length ? from + view.getUint32(offset, true) : Infinity;
    if (to > bytes.length) throw invalid(`${where} ends in the middle of its element ${strings.length}`);
    if (strings.length === length)
      throw invalid(`${where} has more than ${length} elements; its shape takes ${length}`);
    strings.push(bytesElement(bytes.subarray(from, to)));
    offset = to;
  }
  if (strings.length !== length)
    throw invalid(`${where} has ${strings.length} elements; its shape takes ${length}`);
  return strings;
}

/** A tensor's bytes, as the binary tensor data extension has them; a view of its memory where it can be. */
export function tensorToBytes(tensor: Tensor): Uint8Array {
  if (tensor.datatype !== 'BYTES') {
    return new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
  }
  const elements = tensor.data.map((element) =>
    typeof element === 'string' ? encoder.encode(element) : element,
  );
  const bytes = new Uint8Array(elements.reduce((sum, element) => sum + LENGTH_BYTES + element.length, 0));
  const view = new DataView(bytes.buffer);
  let offset = 0;
  for (const element of elements) {
    view.setUint32(offset, element.length, true);
    bytes.set(element, offset + LENGTH_BYTES);
    offset += LENGTH_BYTES + element.length;
  }
  return bytes;
}
