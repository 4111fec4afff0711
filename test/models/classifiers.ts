/** Small classifiers: `SCORES` `[batch, 4]` to `OUTPUT` `[batch, 4]`, the class is the largest; each is wrong in one way, or in none. */
import { encodeModel } from './onnx-graph.ts';
import type { Initializer, Node } from './onnx-graph.ts';

export const CLASSES = 4;

/** Gives the scores as they came. */
export function rightClassifier(): Uint8Array {
  return classifier([{ op: 'Identity', inputs: ['SCORES'], outputs: ['OUTPUT'] }]);
}

/** Its labels are permuted: each class goes by the next one's name. */
export function permutedClassifier(): Uint8Array {
  return reorderedClassifier(3n, 0n, 1n, 2n);
}

/** Half of its classes go by each other's names. */
export function halfFlippedClassifier(): Uint8Array {
  return reorderedClassifier(1n, 0n, 2n, 3n);
}

function reorderedClassifier(...order: readonly bigint[]): Uint8Array {
  const gather: Node = {
    op: 'Gather',
    inputs: ['SCORES', 'order'],
    outputs: ['OUTPUT'],
    attributes: { axis: 1 },
  };
  return classifier([gather], [{ name: 'order', shape: [CLASSES], data: BigInt64Array.from(order) }]);
}

/** Every score is NaN: the difference of the scores to themselves, by itself. */
export function nanClassifier(): Uint8Array {
  return classifier([
    { op: 'Sub', inputs: ['SCORES', 'SCORES'], outputs: ['zero'] },
    { op: 'Div', inputs: ['zero', 'zero'], outputs: ['OUTPUT'] },
  ]);
}

/** Fails at every run: it looks up a score that is not there. */
export function failingClassifier(): Uint8Array {
  const nothing = { name: 'beyond', shape: [1], data: Float32Array.of(1e6) };
  const table = { name: 'table', shape: [1], data: Float32Array.of(0) };
  return classifier(
    [
      { op: 'Abs', inputs: ['SCORES'], outputs: ['sizes'] },
      { op: 'Add', inputs: ['sizes', 'beyond'], outputs: ['far'] },
      { op: 'Cast', inputs: ['far'], outputs: ['indexes'], attributes: { to: 7 } },
      { op: 'Gather', inputs: ['table', 'indexes'], outputs: ['OUTPUT'] },
    ],
    [nothing, table],
  );
}

/** Right, and some milliseconds slower than {@link rightClassifier}, which shows on a busy machine too: squares of `width` are multiplied `times` times, and come to nothing. */
export function slowClassifier(width = 384, times = 400): Uint8Array {
  const into = { name: 'into', shape: [CLASSES, width], data: new Float32Array(CLASSES * width) };
  const square = { name: 'square', shape: [width, width], data: new Float32Array(width * width) };
  const out = { name: 'out', shape: [width, CLASSES], data: new Float32Array(CLASSES * width) };
  return classifier(
    [
      { op: 'MatMul', inputs: ['SCORES', 'into'], outputs: ['step0'] },
      ...Array.from({ length: times }, (_, index): Node => ({
        op: 'MatMul',
        inputs: [`step${index}`, 'square'],
        outputs: [`step${index + 1}`],
      })),
      { op: 'MatMul', inputs: [`step${times}`, 'out'], outputs: ['nothing'] },
      { op: 'Add', inputs: ['SCORES', 'nothing'], outputs: ['OUTPUT'] },
    ],
    [into, square, out],
  );
}

/** Right, and takes a second or more: squares that are made of the input, so that none of them is prepared before, are multiplied. */
export function stuckClassifier(): Uint8Array {
  const width = 512;
  const times = 200;
  const into = { name: 'into', shape: [CLASSES, width], data: new Float32Array(CLASSES * width) };
  const out = { name: 'out', shape: [width, CLASSES], data: new Float32Array(CLASSES * width) };
  return classifier(
    [
      { op: 'MatMul', inputs: ['SCORES', 'into'], outputs: ['wide'] },
      { op: 'Transpose', inputs: ['wide'], outputs: ['high'] },
      { op: 'MatMul', inputs: ['high', 'wide'], outputs: ['square0'] },
      ...Array.from({ length: times }, (_, index): Node => ({
        op: 'MatMul',
        inputs: [`square${index}`, 'square0'],
        outputs: [`square${index + 1}`],
      })),
      { op: 'MatMul', inputs: ['wide', `square${times}`], outputs: ['turned'] },
      { op: 'MatMul', inputs: ['turned', 'out'], outputs: ['nothing'] },
      { op: 'Add', inputs: ['SCORES', 'nothing'], outputs: ['OUTPUT'] },
    ],
    [into, out],
  );
}

function classifier(nodes: readonly Node[], initializers: readonly Initializer[] = []): Uint8Array {
  const shape = ['batch', CLASSES];
  return encodeModel({
    inputs: [{ name: 'SCORES', datatype: 'FP32', shape }],
    outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape }],
    nodes,
    initializers,
  });
}
