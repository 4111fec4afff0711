import type { NumericArray, NumericDatatype } from './datatype.ts';

/** A numeric tensor, in row-major order. */
export interface NumericTensor {
  readonly name: string;
  readonly datatype: NumericDatatype;
  readonly shape: readonly number[];
  /** As many elements as the shape has. It may lie in memory that is lent: see `InferAnswer.release`. */
  readonly data: NumericArray;
}

/** A tensor of texts, in row-major order. */
export interface TextTensor {
  readonly name: string;
  readonly datatype: 'BYTES';
  readonly shape: readonly number[];
  readonly data: readonly string[];
}

/** A tensor of texts, or of bytes that are no UTF-8 text, as an encoded image is; in row-major order. */
export interface BytesTensor extends Omit<TextTensor, 'data'> {
  readonly data: readonly (string | Uint8Array)[];
}

export type Tensor = NumericTensor | BytesTensor;

/** What a model says of an input or output: -1 stands for a dimension that may have any size. */
export interface TensorSpec {
  readonly name: string;
  readonly datatype: Tensor['datatype'];
  readonly shape: readonly number[];
}

/** How many elements a shape has; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((count, size) => count * size, 1);
}
