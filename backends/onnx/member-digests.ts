import { createHash, hash } from 'node:crypto';
import { bytesPerElement } from '../tensor/datatype.ts';
import { elementCount } from '../tensor/tensor.ts';
import { rowsOf } from './messages.ts';
import type { RunMessage } from './messages.ts';

/**
 * A digest of each member's inputs: SHA-256, of which 16 bytes are kept.
 *
 * @param message a gathered batch; its members' rows follow each other in every input
 */
export function digestMembers(message: RunMessage): readonly Buffer[] {
  const { inputs, memberRows, slab } = message;
  const rows = rowsOf(message);
  const { size = rows } = message;
  const columns = inputs.map((input) => {
    if (input.datatype === 'BYTES') return { input, perRow: input.data.length / rows };
    const bytes = elementCount(input.shape) * bytesPerElement(input.datatype);
    return { input, perRow: bytes / size };
  });
  const [only] = columns;
  let start = 0;
  return memberRows.map((count) => {
    const from = start;
    start += count;
    if (columns.length === 1 && only !== undefined && only.input.datatype !== 'BYTES') {
      // By far the most frequent case, at half the price.
      const { input, perRow } = only;
      return hash('sha256', new Uint8Array(slab, input.byteOffset + from * perRow, count * perRow), 'buffer');
    }
    const digest = createHash('sha256');
    for (const { input, perRow } of columns) {
      if (input.datatype !== 'BYTES') {
        digest.update(new Uint8Array(slab, input.byteOffset + from * perRow, count * perRow));
        continue;
      }
      // No string that is run has a zero byte in it.
      for (const text of input.data.slice(from * perRow, start * perRow)) digest.update(text).update('\0');
    }
    return digest.digest();
  });
}
