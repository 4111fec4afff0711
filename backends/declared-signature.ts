import type { DeclaredTensor } from './repository/declared-tensor.ts';
import type { ModelConfig } from './repository/model-config.ts';
import type { TensorSpec } from './tensor/tensor.ts';

/** A graph's inputs and outputs, with the batch dimension where there is one. */
export interface GraphSignature {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}

type Declarations = Pick<ModelConfig, 'maxBatchSize' | 'inputs' | 'outputs'>;

/**
 * The `max_batch_size` that a configuration states; undefined: the graph decides. Declared inputs with as many sizes as the
 * graph's own leave no dimension for a batch, which is what Triton reads from a configuration that names no batch size.
 */
export function statedBatchSize(declared: Declarations, graph: GraphSignature): number | undefined {
  if (declared.maxBatchSize !== undefined) return declared.maxBatchSize;
  const isWhole = ({ name, dims, reshape = dims }: DeclaredTensor): boolean =>
    graph.inputs.some((spec) => spec.name === name && spec.shape.length === reshape.length);
  const { inputs = [] } = declared;
  return inputs.length > 0 && inputs.every(isWhole) ? 0 : undefined;
}

/**
 * Holds a configuration's `input` and `output` against the graph.
 *
 * @returns the inputs in the graph's order, with the sizes that the configuration fixes, and the outputs it declares, in its
 *   order; as the graph has them where nothing is declared
 * @throws Error with everything that doesn't fit
 */
export function resolveSignature(
  declared: Declarations,
  graph: GraphSignature,
  maxBatchSize: number,
): GraphSignature {
  const faults: string[] = [];
  const resolve = (
    what: 'input' | 'output',
    wanted: readonly DeclaredTensor[],
    specs: readonly TensorSpec[],
  ): readonly TensorSpec[] =>
    wanted.flatMap((tensor) => {
      const spec = specs.find(({ name }) => name === tensor.name);
      if (spec === undefined) {
        faults.push(`${what} "${tensor.name}" is not in the graph, which has ${listOf(specs)}`);
        return [];
      }
      const withBatch = (dims: readonly number[]): readonly number[] =>
        maxBatchSize > 0 ? [-1, ...dims] : dims;
      const graphDims = tensor.reshape ?? tensor.dims;
      if (tensor.datatype !== spec.datatype) {
        faults.push(`${what} "${tensor.name}" is ${tensor.datatype}, but the graph has ${spec.datatype}`);
      }
      if (!fits(withBatch(graphDims), spec.shape)) {
        const own = maxBatchSize > 0 ? spec.shape.slice(1) : spec.shape;
        faults.push(
          `${what} "${tensor.name}" has the ${tensor.reshape === undefined ? 'dims' : 'reshape'} ` +
            `[${graphDims.join(', ')}], but the graph has ` +
            `[${own.join(', ')}]${maxBatchSize > 0 ? ' after the batch dimension' : ''}`,
        );
      }
      return [{ ...spec, shape: withBatch(tensor.dims) }];
    });
  const inputs = resolve('input', declared.inputs ?? [], graph.inputs);
  const outputs = resolve('output', declared.outputs ?? [], graph.outputs);
  if (declared.inputs !== undefined) {
    for (const { name } of graph.inputs) {
      if (!declared.inputs.some((tensor) => tensor.name === name)) {
        faults.push(`input "${name}" of the graph is not declared; expected all of ${listOf(graph.inputs)}`);
      }
    }
  }
  if (faults.length > 0) throw new Error(`the configuration does not fit the graph: ${faults.join('; ')}`);
  return {
    inputs:
      declared.inputs === undefined
        ? graph.inputs
        : graph.inputs.map((spec) => inputs.find(({ name }) => name === spec.name) ?? spec),
    outputs: declared.outputs === undefined ? graph.outputs : outputs,
  };
}

/** A configuration may fix a size that the graph leaves free, and may not free one that the graph fixes. */
function fits(shape: readonly number[], graph: readonly number[]): boolean {
  return (
    shape.length === graph.length && shape.every((size, axis) => graph[axis] === -1 || graph[axis] === size)
  );
}

function listOf(specs: readonly TensorSpec[]): string {
  return specs.map(({ name }) => `"${name}"`).join(', ');
}
