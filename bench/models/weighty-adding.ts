import { encodeModel } from '../../test/models/onnx-graph.ts';

/** Columns of the hidden layer: the two weights have half a mebibyte each. */
const COLUMNS = 65_536;

/**
 * Adds `addend` to each of a row's two numbers, `INPUT` to `OUTPUT`, and has a mebibyte of weights that come to nothing: a
 * session that is not freed shows in the process's memory.
 */
export function weightyAddingModel(addend: number): Uint8Array {
  return encodeModel({
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: ['batch', 2] }],
    outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: ['batch', 2] }],
    initializers: [
      { name: 'wide', shape: [2, COLUMNS], data: new Float32Array(2 * COLUMNS).fill(1) },
      { name: 'narrow', shape: [COLUMNS, 2], data: new Float32Array(2 * COLUMNS) },
      { name: 'addend', shape: [1], data: Float32Array.of(addend) },
    ],
    nodes: [
      { op: 'MatMul', inputs: ['INPUT', 'wide'], outputs: ['hidden'] },
      { op: 'MatMul', inputs: ['hidden', 'narrow'], outputs: ['nothing'] },
      { op: 'Add', inputs: ['INPUT', 'nothing'], outputs: ['same'] },
      { op: 'Add', inputs: ['same', 'addend'], outputs: ['OUTPUT'] },
    ],
  });
}
