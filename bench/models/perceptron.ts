import { encodeModel } from '../../test/models/onnx-graph.ts';

/** A small classifier of 64-32-10 neurons: `INPUT` `[batch, 64]` float32 to `OUTPUT` `[batch, 10]`. A run takes some 20 µs. */
export function perceptron(): Uint8Array {
  const weights = (rows: number, columns: number): Float32Array =>
    Float32Array.from({ length: rows * columns }, (_, index) => Math.sin(index) / rows);
  return encodeModel({
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: ['batch', 64] }],
    outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: ['batch', 10] }],
    nodes: [
      { op: 'MatMul', inputs: ['INPUT', 'w1'], outputs: ['hidden'] },
      { op: 'Relu', inputs: ['hidden'], outputs: ['active'] },
      { op: 'MatMul', inputs: ['active', 'w2'], outputs: ['OUTPUT'] },
    ],
    initializers: [
      { name: 'w1', shape: [64, 32], data: weights(64, 32) },
      { name: 'w2', shape: [32, 10], data: weights(32, 10) },
    ],
  });
}
