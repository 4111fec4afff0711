import { encodeModel } from '../../test/models/onnx-graph.ts';
import type { Initializer, Node } from '../../test/models/onnx-graph.ts';

/** ONNX's number of float32. */
const FLOAT = 1;

/** A small generator of reproducible numbers: mulberry32. Values from -1 to 1. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2147483648 - 1;
  };
}

/**
 * A graph of ResNet-18's shape (He et al., 2015, table 1, with batch normalisation folded into the convolutions, as
 * exporters do): 11.7 million parameters, `image` `[batch, 3, 224, 224]` float32 to `logits` `[batch, 1000]`. The weights
 * are random, from a fixed seed: the bench measures time, not accuracy.
 *
 * @param image `UINT8`: pixels come as bytes, a quarter of the memory, and are made numbers by the graph itself
 */
export function resnet18(
  seed = 18,
  image: 'FP32' | 'UINT8' = 'FP32',
): { readonly model: Uint8Array; readonly parameters: number } {
  const random = generator(seed);
  const initializers: Initializer[] = [];
  const nodes: Node[] = [];
  let parameters = 0;
  let names = 0;

  const weights = (shape: readonly number[], fanIn: number): string => {
    const name = `w${names++}`;
    const length = shape.reduce((count, size) => count * size, 1);
    const scale = Math.sqrt(3 / fanIn);
    parameters += length;
    initializers.push({ name, shape, data: Float32Array.from({ length }, () => random() * scale) });
    return name;
  };
  const node = (
    op: string,
    inputs: readonly string[],
    attributes: NonNullable<Node['attributes']> = {},
  ): string => {
    const output = `t${names++}`;
    nodes.push({ op, inputs, outputs: [output], attributes });
    return output;
  };
  const conv = (input: string, from: number, to: number, kernel: number, stride: number): string => {
    const pad = (kernel - 1) / 2;
    const fanIn = from * kernel * kernel;
    return node('Conv', [input, weights([to, from, kernel, kernel], fanIn), weights([to], fanIn)], {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
    });
  };
  const block = (input: string, from: number, to: number, stride: number): string => {
    const first = node('Relu', [conv(input, from, to, 3, stride)]);
    const second = conv(first, to, to, 3, 1);
    const shortcut = from === to ? input : conv(input, from, to, 1, stride);
    return node('Relu', [node('Add', [second, shortcut])]);
  };

  const pixels = image === 'FP32' ? 'image' : node('Cast', ['image'], { to: FLOAT });
  let value = node('Relu', [conv(pixels, 3, 64, 7, 2)]);
  value = node('MaxPool', [value], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] });
  let channels = 64;
  for (const to of [64, 128, 256, 512]) {
    value = block(value, channels, to, to === 64 ? 1 : 2);
    value = block(value, to, to, 1);
    channels = to;
  }
  value = node('Flatten', [node('GlobalAveragePool', [value])], { axis: 1 });
  nodes.push({
    op: 'Gemm',
    inputs: [value, weights([512, 1000], 512), weights([1000], 512)],
    outputs: ['logits'],
  });
  const model = encodeModel({
    inputs: [{ name: 'image', datatype: image, shape: ['batch', 3, 224, 224] }],
    outputs: [{ name: 'logits', datatype: 'FP32', shape: ['batch', 1000] }],
    nodes,
    initializers,
  });
  return { model, parameters };
}
