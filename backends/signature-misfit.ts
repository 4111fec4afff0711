import type { VersionDescription } from './servable.ts';
import type { TensorSpec } from './tensor/tensor.ts';

type Described = Pick<VersionDescription, 'inputs' | 'outputs' | 'image'>;

/**
 * Why a version can answer no request that another one of its model answers: it takes other inputs, or lacks an output that callers may ask for by name.
 * Dimensions that are free in one of the two may fit, and so nothing is said of them; nor of the inputs where both take images, which each
 * has made into its own tensor, nor of what a server elsewhere doesn't tell.
 *
 * @returns undefined where it may answer
 */
export function signatureMisfit(usual: Described, other: Described): string | undefined {
  const takesImages = usual.image !== undefined && other.image !== undefined;
  if (!takesImages && usual.inputs.length > 0 && other.inputs.length > 0) {
    const isTaken = usual.inputs.every((input) => other.inputs.some((candidate) => fits(input, candidate)));
    if (!isTaken || other.inputs.length > usual.inputs.length)
      return `takes ${textOf(other.inputs)}, and not ${textOf(usual.inputs)}`;
  }
  if (usual.outputs.length === 0 || other.outputs.length === 0) return undefined;
  const isGiven = usual.outputs.every(({ name, datatype }) =>
    other.outputs.some((candidate) => candidate.name === name && candidate.datatype === datatype),
  );
  return isGiven ? undefined : `gives ${textOf(other.outputs)}, and not ${textOf(usual.outputs)}`;
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
