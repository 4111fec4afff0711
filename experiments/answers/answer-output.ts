/** One output of an answer, as experiments look at it. */
export interface AnswerOutput {
  readonly name: string;
  /** The protocol's name of the type, as `FP32`. */
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly values: AnswerValues;
}

/** Row-major, as many elements as the shape has. Floating-point values are scores; the others are labels. */
export type AnswerValues =
  | { readonly kind: 'floats'; readonly data: ArrayLike<number> }
  | { readonly kind: 'labels'; readonly data: ArrayLike<number | bigint | string> };

/** How the outputs of a model are read. */
export interface OutputReading {
  /** Whether an output's first dimension is its rows; else the whole output is one row. */
  readonly batches: boolean;
  /** Names of the classes, in their order; a class without one goes by its number. */
  readonly labels: readonly string[];
}

/** How many rows an output has. */
export function rowsOf({ shape }: AnswerOutput, { batches }: OutputReading): number {
  return batches ? (shape[0] ?? 1) : 1;
}

/** How many values each row has, where they lie along one dimension, as scores do; undefined for a row of several dimensions. */
export function rowWidth({ shape }: AnswerOutput, { batches }: OutputReading): number | undefined {
  let width = 1;
  for (let axis = batches ? 1 : 0; axis < shape.length; axis++) {
    const size = shape[axis] ?? 1;
    if (size === 1) continue;
    if (width !== 1) return undefined;
    width = size;
  }
  return width;
}
