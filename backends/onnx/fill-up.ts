import { bytesPerElement } from '../tensor/datatype.ts';
import { rowsOf } from './messages.ts';
import type { RunMessage } from './messages.ts';

/** Fills a batch up to the size that it is run with: with its last row, which the model takes for certain. */
export function filledUp(
  input: RunMessage['inputs'][number],
  message: RunMessage,
): RunMessage['inputs'][number] {
  const rows = rowsOf(message);
  const { slab, size = rows } = message;
  if (size === rows) return input;
  if (input.datatype === 'BYTES') {
    const perRow = input.data.length / rows;
    const last = input.data.slice((rows - 1) * perRow);
    return { ...input, data: [...input.data, ...Array.from({ length: size - rows }, () => last).flat()] };
  }
  const elements = input.shape.reduce((count, length) => count * length, 1);
  const perRow = (elements / size) * bytesPerElement(input.datatype);
  const all = new Uint8Array(slab, input.byteOffset, size * perRow);
  for (let row = rows; row < size; row += 1) all.copyWithin(row * perRow, (rows - 1) * perRow, rows * perRow);
  return input;
}
