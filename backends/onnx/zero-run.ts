import { bytesPerElement } from '../tensor/datatype.ts';
import type { TextTensor } from '../tensor/tensor.ts';
import { elementCount } from '../tensor/tensor.ts';
import type { OnnxInstance } from './instance.ts';
import type { RunMessage, TensorPlace } from './messages.ts';

/**
 * A run over zeros and empty strings, whose outputs are all sent.
 *
 * @param rows the size of a free first dimension, >= 1; undefined: 1, as of every other free dimension
 */
export function zeroRun({ inputs, outputs }: OnnxInstance, rows: number | undefined): RunMessage {
  let bytes = 0;
  const placed = inputs.map((spec): TensorPlace | TextTensor => {
    const shape = spec.shape.map((size, axis) =>
      size >= 0 ? size : axis === 0 && rows !== undefined ? rows : 1,
    );
    const { name, datatype } = spec;
    const length = elementCount(shape);
    if (datatype === 'BYTES') return { name, datatype, shape, data: Array<string>(length).fill('') };
    const byteOffset = bytes;
    bytes += Math.ceil((length * bytesPerElement(datatype)) / 8) * 8;
    return { name, datatype, shape, byteOffset };
  });
  return {
    kind: 'run',
    slab: new SharedArrayBuffer(bytes),
    inputs: placed,
    placedOutputs: [],
    sentOutputs: outputs.map(({ name }) => name),
    memberRows: [rows ?? 1],
  };
}
