/** Small real models for tests, each with one thing about it that matters. */
import type { Tensor } from '../../backends/tensor/tensor.ts';
import { encodeModel } from './onnx-graph.ts';
import type { Value } from './onnx-graph.ts';

/** An input and the output that gives it back. */
export interface Column {
  readonly input: string;
  readonly output: string;
  readonly datatype: Tensor['datatype'];
  readonly shape: Value['shape'];
}

/** A model that gives each of its inputs back as an output of another name. */
export function identitiesModel(columns: readonly Column[]): Uint8Array {
  return encodeModel({
    inputs: columns.map(({ input, datatype, shape }) => ({ name: input, datatype, shape })),
    outputs: columns.map(({ output, datatype, shape }) => ({ name: output, datatype, shape })),
    nodes: columns.map(({ input, output }) => ({ op: 'Identity', inputs: [input], outputs: [output] })),
  });
}

/** Adds `addend` to each of a row's two numbers: `INPUT` to `OUTPUT`. Models with different addends have files of one size. */
export function addingModel(addend: number): Uint8Array {
  return encodeModel({
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: ['batch', 2] }],
    outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: ['batch', 2] }],
    nodes: [{ op: 'Add', inputs: ['INPUT', 'addend'], outputs: ['OUTPUT'] }],
    initializers: [{ name: 'addend', shape: [1], data: Float32Array.of(addend) }],
  });
}

/** An adding model without its addend, which the file `weights.bin` beside it has: {@link weights}. */
export function externalAddingModel(): Uint8Array {
  return encodeModel({
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: ['batch', 2] }],
    outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: ['batch', 2] }],
    nodes: [{ op: 'Add', inputs: ['INPUT', 'addend'], outputs: ['OUTPUT'] }],
    initializers: [{ name: 'addend', shape: [1], data: Float32Array.of(0), externalFile: 'weights.bin' }],
  });
}

export function weights(addend: number): Uint8Array {
  return new Uint8Array(Float32Array.of(addend).buffer);
}

/** Its first dimension is free, but it makes twice as many rows as it takes. */
export function rowDoublingModel(): Uint8Array {
  return encodeModel({
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: ['batch', 2] }],
    outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: ['doubled', 2] }],
    nodes: [{ op: 'Concat', inputs: ['INPUT', 'INPUT'], outputs: ['OUTPUT'], attributes: { axis: 0 } }],
  });
}

/** Looks its input's numbers up in `[10, 20, 30, 40]`; fails while it runs where there is none of that index. */
export function lookupModel(): Uint8Array {
  return encodeModel({
    inputs: [{ name: 'INPUT', datatype: 'INT64', shape: ['batch', 1] }],
    outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: ['batch', 1] }],
    nodes: [{ op: 'Gather', inputs: ['table', 'INPUT'], outputs: ['OUTPUT'] }],
    initializers: [{ name: 'table', shape: [4], data: Float32Array.of(10, 20, 30, 40) }],
  });
}

/** Gives back `[batch, 1]`, for 0 to 3; fails while it runs where a value is beyond. */
export function fragileModel(): Uint8Array {
  return encodeModel({
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: ['batch', 1] }],
    outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: ['batch', 1] }],
    nodes: [
      { op: 'Cast', inputs: ['INPUT'], outputs: ['index'], attributes: { to: 7 } },
      { op: 'Gather', inputs: ['table', 'index'], outputs: ['OUTPUT'] },
    ],
    initializers: [{ name: 'table', shape: [4], data: Float32Array.of(0, 1, 2, 3) }],
  });
}

/** Multiplies `[batch, side, side]` by itself, again and again: a run takes as long as `side` and `times` say. */
export function slowModel(side: number, times: number): Uint8Array {
  const names = Array.from({ length: times }, (_, index) => `step${index}`);
  const shape = ['batch', side, side];
  return encodeModel({
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape }],
    outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape }],
    nodes: names.map((_, index) => ({
      op: 'MatMul',
      inputs: [index === 0 ? 'INPUT' : `step${index}`, 'INPUT'],
      outputs: [index === times - 1 ? 'OUTPUT' : `step${index + 1}`],
    })),
  });
}

/**
 * `INPUT` `[batch, 1]` to `OUTPUT`, the same value, after products of squares as wide as the largest value of the batch: a run over
 * zeros is over at once, and each further value says how long its own run takes.
 */
export function lingeringModel(products: number): Uint8Array {
  return encodeModel({
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: ['batch', 1] }],
    outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: ['batch', 1] }],
    initializers: [{ name: 'flat', shape: [1], data: BigInt64Array.of(-1n) }],
    nodes: [
      { op: 'ReduceMax', inputs: ['INPUT'], outputs: ['largest'], attributes: { keepdims: 1 } },
      { op: 'Cast', inputs: ['largest'], outputs: ['whole'], attributes: { to: 7 } },
      { op: 'Reshape', inputs: ['whole', 'flat'], outputs: ['width'] },
      { op: 'Concat', inputs: ['width', 'width'], outputs: ['shape'], attributes: { axis: 0 } },
      { op: 'ConstantOfShape', inputs: ['shape'], outputs: ['product0'] },
      ...Array.from({ length: products }, (_, index) => ({
        op: 'MatMul',
        inputs: [`product${index}`, 'product0'],
        outputs: [`product${index + 1}`],
      })),
      { op: 'ReduceSum', inputs: [`product${products}`], outputs: ['nothing'], attributes: { keepdims: 0 } },
      { op: 'Add', inputs: ['INPUT', 'nothing'], outputs: ['OUTPUT'] },
    ],
  });
}

/**
 * `INPUT` `[batch, 1]` to `OUTPUT`, the same value, but where it is negative ONNX Runtime crashes the process by SIGFPE: it divides the
 * smallest whole number of 64 bits by -1, of which the quotient is none.
 *
 * @param crashesOpening whether it does so when the model is opened, as it computes there what no input changes
 */
export function crashingModel(crashesOpening = false): Uint8Array {
  const divisor = crashesOpening
    ? []
    : ([
        { op: 'Sign', inputs: ['INPUT'], outputs: ['sign'] },
        { op: 'Cast', inputs: ['sign'], outputs: ['whole'], attributes: { to: 7 } },
        { op: 'Abs', inputs: ['whole'], outputs: ['size'] },
        { op: 'Sub', inputs: ['whole', 'size'], outputs: ['twice'] },
        { op: 'Add', inputs: ['twice', 'one'], outputs: ['divisor'] },
      ] as const);
  return encodeModel({
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: ['batch', 1] }],
    outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: ['batch', 1] }],
    nodes: [
      ...divisor,
      { op: 'Div', inputs: ['smallest', crashesOpening ? 'minus' : 'divisor'], outputs: ['quotient'] },
      { op: 'Mul', inputs: ['quotient', 'zero'], outputs: ['nothing'] },
      { op: 'Cast', inputs: ['nothing'], outputs: ['none'], attributes: { to: 1 } },
      { op: 'Add', inputs: ['INPUT', 'none'], outputs: ['OUTPUT'] },
    ],
    initializers: [
      { name: 'smallest', shape: [1], data: BigInt64Array.of(-(2n ** 63n)) },
      { name: 'minus', shape: [1], data: BigInt64Array.of(-1n) },
      { name: 'one', shape: [1], data: BigInt64Array.of(1n) },
      { name: 'zero', shape: [1], data: BigInt64Array.of(0n) },
    ],
  });
}
