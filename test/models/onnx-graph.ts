/** ONNX models made in memory, for tests and benches: real files that the real runtime loads. */
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import type { Tensor } from '../../backends/tensor/tensor.ts';

const ModelProto = protobuf
  .loadSync(fileURLToPath(new URL('onnx.proto', import.meta.url)))
  .lookupType('onnx.ModelProto');

/** ONNX's numbers of the tensor types, by the Open Inference Protocol's names. */
const ELEMENT_TYPES: Readonly<Record<Tensor['datatype'], number>> = {
  FP32: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  BYTES: 8,
  BOOL: 9,
  FP16: 10,
  FP64: 11,
  UINT32: 12,
  UINT64: 13,
};

/** ONNX's number for a tensor whose data stands in another file. */
const EXTERNAL = 1;

/** A graph's input or output; a dimension given by name is free. */
export interface Value {
  readonly name: string;
  readonly datatype: Tensor['datatype'];
  readonly shape: readonly (number | string)[];
}

export interface Node {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Whole numbers, and lists of them. */
  readonly attributes?: Readonly<Record<string, number | readonly number[]>>;
}

/** Weights, row-major. */
export interface Initializer {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array;
  /** The file beside the model that has the data; left out: the model has it. */
  readonly externalFile?: string;
}

export interface Graph {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly nodes: readonly Node[];
  readonly initializers?: readonly Initializer[];
}

/** The bytes of a `model.onnx`. */
export function encodeModel(graph: Graph): Uint8Array {
  const message = ModelProto.fromObject({
    irVersion: 8,
    producerName: 'signalbox-test',
    opsetImport: [{ domain: '', version: 17 }],
    graph: {
      name: 'graph',
      node: graph.nodes.map((node) => ({
        input: node.inputs,
        output: node.outputs,
        opType: node.op,
        attribute: Object.entries(node.attributes ?? {}).map(([name, value]) =>
          typeof value === 'number' ? { name, i: value, type: 2 } : { name, ints: value, type: 7 },
        ),
      })),
      initializer: (graph.initializers ?? []).map(({ name, shape, data, externalFile }) => ({
        name,
        dims: shape,
        dataType: data instanceof Float32Array ? ELEMENT_TYPES.FP32 : ELEMENT_TYPES.INT64,
        ...(externalFile === undefined
          ? { rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) }
          : { dataLocation: EXTERNAL, externalData: [{ key: 'location', value: externalFile }] }),
      })),
      input: graph.inputs.map(encodeValue),
      output: graph.outputs.map(encodeValue),
    },
  });
  return ModelProto.encode(message).finish();
}

function encodeValue({ name, datatype, shape }: Value): object {
  const dim = shape.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType: ELEMENT_TYPES[datatype], shape: { dim } } } };
}

/** A model that gives its input back: `INPUT` to `OUTPUT`. */
export function identityModel(
  datatype: Tensor['datatype'] = 'FP32',
  shape: Value['shape'] = ['batch', 4],
): Uint8Array {
  return encodeModel({
    inputs: [{ name: 'INPUT', datatype, shape }],
    outputs: [{ name: 'OUTPUT', datatype, shape }],
    nodes: [{ op: 'Identity', inputs: ['INPUT'], outputs: ['OUTPUT'] }],
  });
}

/**
 * `INPUT` `[batch, 1]` to `OUTPUT` `[batch, 1]`, the same value after half a second or more of arithmetic on one thread:
 * products of large squares that come to nothing, and that depend on the input, so that no optimiser can do them before.
 */
export function slowModel(rounds = 12, size = 1000): Uint8Array {
  const filled = (length: number, value: number): Float32Array => new Float32Array(length).fill(value);
  const square = Float32Array.from({ length: size * size }, (_, index) => Math.sin(index) / size);
  const products = Array.from({ length: rounds }, (_, round): Node => ({
    op: 'MatMul',
    inputs: [round === 0 ? 'spread' : `product${round - 1}`, 'square'],
    outputs: [`product${round}`],
  }));
  return encodeModel({
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: ['batch', 1] }],
    outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: ['batch', 1] }],
    initializers: [
      { name: 'column', shape: [size, 1], data: filled(size, 1) },
      { name: 'row', shape: [1, size], data: filled(size, 1) },
      { name: 'zero', shape: [size, 1], data: filled(size, 0) },
      { name: 'square', shape: [size, size], data: square },
    ],
    nodes: [
      { op: 'ReduceSum', inputs: ['INPUT'], outputs: ['seed'], attributes: { keepdims: 1 } },
      { op: 'MatMul', inputs: ['column', 'seed'], outputs: ['seeds'] },
      { op: 'MatMul', inputs: ['seeds', 'row'], outputs: ['spread'] },
      ...products,
      { op: 'MatMul', inputs: [`product${rounds - 1}`, 'zero'], outputs: ['sum'] },
      { op: 'ReduceSum', inputs: ['sum'], outputs: ['nothing'], attributes: { keepdims: 0 } },
      { op: 'Add', inputs: ['INPUT', 'nothing'], outputs: ['OUTPUT'] },
    ],
  });
}
