import { encodeModel } from '../../test/models/onnx-graph.ts';

/** Rows and columns of each of the products: 16 MiB of weights. */
export const WIDTH = 2048;
const LAYERS = 4;

/**
 * `INPUT` `[batch, 2048]` float32 to `OUTPUT`, by four matrices that no cache holds: a run waits for its 64 MiB of weights, and further rows of a batch
 * cost little more, as on a GPU.
 */
export function weightBoundModel(): Uint8Array {
  const names = Array.from({ length: LAYERS }, (_, index) => `w${index}`);
  const step = (index: number): string => (index === LAYERS ? 'OUTPUT' : `step${index}`);
  return encodeModel({
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: ['batch', WIDTH] }],
    outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: ['batch', WIDTH] }],
    nodes: names.map((name, index) => ({
      op: 'MatMul',
      inputs: [index === 0 ? 'INPUT' : step(index), name],
      outputs: [step(index + 1)],
    })),
    initializers: names.map((name) => ({
      name,
      shape: [WIDTH, WIDTH],
      data: Float32Array.from({ length: WIDTH * WIDTH }, (_, at) => Math.sin(at) / WIDTH),
    })),
  });
}
