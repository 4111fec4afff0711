import type { VersionDescription } from './servable.ts';
import type { TensorSpec } from './tensor/tensor.ts';

/** What is compared of a version; of no inputs or outputs nothing is known. */
export type Described = Pick<VersionDescription, 'inputs' | 'outputs' | 'image'>;

/** A way in which two versions of a model differ that a caller of both meets. */
export interface SignatureMisfit {
  /**
   * `tensors`: the inputs, where both take images, which each makes into a tensor of its own; `sizes`: the outputs have the same names and datatypes, and
   * another fixed size.
   */
  readonly part: 'inputs' | 'tensors' | 'outputs' | 'sizes';
  /** After the other version's name: `takes x FP32 [-1, 4], and not y FP32 [-1, 4]`. */
  readonly message: string;
}

/**
 * How a version differs from another one of its model: it takes other inputs, lacks an output that callers may ask for by name, or gives one of another
 * size. Dimensions that are free in one of the two may fit, and so nothing is said of them, nor of what a server elsewhere doesn't tell.
 *
 * @returns at most one of each part; empty where it may answer what the other one does
 */
export function signatureMisfits(usual: Described, other: Described): readonly SignatureMisfit[] {
  const misfits: SignatureMisfit[] = [];
  const takesImages = usual.image !== undefined && other.image !== undefined;
  if (usual.inputs.length > 0 && other.inputs.length > 0) {
    const isTaken = usual.inputs.every((input) => other.inputs.some((candidate) => fits(input, candidate)));
    if (!isTaken || other.inputs.length > usual.inputs.length)
      misfits.push({
        part: takesImages ? 'tensors' : 'inputs',
        message: `takes ${textOf(other.inputs)}, and not ${textOf(usual.inputs)}`,
      });
  }
  if (usual.outputs.length === 0 || other.outputs.length === 0) return misfits;
  const given = usual.outputs.map((output) =>
    other.outputs.find(({ name, datatype }) => name === output.name && datatype === output.datatype),
  );
  const message = `gives ${textOf(other.outputs)}, and not ${textOf(usual.outputs)}`;
  if (given.includes(undefined)) misfits.push({ part: 'outputs', message });
  // Another size says nothing more of what takes other inputs.
  else if (
    misfits.length === 0 &&
    !usual.outputs.every((output) => other.outputs.some((candidate) => fits(output, candidate)))
  )
    misfits.push({ part: 'sizes', message });
  return misfits;
}

/**
 * Why a version can answer no request that another one of its model answers; what it gives may have another size, and where both take images so may what they
 * make of them.
 *
 * @returns undefined where it may answer
 */
export function signatureMisfit(usual: Described, other: Described): string | undefined {
  return signatureMisfits(usual, other).find(({ part }) => part === 'inputs' || part === 'outputs')?.message;
}

function fits(a: TensorSpec, b: TensorSpec): boolean {
  return (
    a.name === b.name &&
    a.datatype === b.datatype &&
    a.shape.length === b.shape.length &&
    a.shape.every((size, dimension) => {
      const other = b.shape[dimension] ?? -1;
      return size === -1 || other === -1 || size === other;
    })
  );
}

function textOf(specs: readonly TensorSpec[]): string {
  return specs.map(({ name, datatype, shape }) => `${name} ${datatype} [${shape.join(', ')}]`).join('; ');
}
