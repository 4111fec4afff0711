import type { Datatype } from '../tensor/datatype.ts';
import { isDatatype } from '../tensor/datatype.ts';
import type { Refuse } from './field-checks.ts';
import type { ModelConfigFile } from './model-config-schema.ts';

/** An input or output as the configuration declares it. */
export interface DeclaredTensor {
  readonly name: string;
  readonly datatype: Datatype;
  /** Without the batch dimension where the model batches; -1: any size. */
  readonly dims: readonly number[];
  /** The graph's own shape of it, likewise; undefined: `dims`. */
  readonly reshape: readonly number[] | undefined;
}

/** `TYPE_FP32` becomes `FP32`, and `TYPE_STRING` `BYTES`; undefined for a type that can't be served. */
export function datatypeOfConfig(name: string): Datatype | undefined {
  const datatype = name === 'TYPE_STRING' ? 'BYTES' : name.replace(/^TYPE_/, '');
  return isDatatype(datatype) ? datatype : undefined;
}

export function configDatatype(datatype: Datatype): string {
  return datatype === 'BYTES' ? 'TYPE_STRING' : `TYPE_${datatype}`;
}

/** Reads `input` or `output`; undefined where nothing is declared. */
export function readDeclaredTensors(
  file: ModelConfigFile,
  key: 'input' | 'output',
  refuse: Refuse,
): readonly DeclaredTensor[] | undefined {
  const written = file[key] ?? [];
  if (written.length === 0) return undefined;
  const names = new Set<string>();
  return written.map(({ name, data_type: type, dims, reshape }, index) => {
    if (names.has(name)) refuse([key, index, 'name'], `is "${name}", which is there twice`);
    names.add(name);
    const datatype = datatypeOfConfig(type);
    if (datatype === undefined) {
      refuse(
        [key, index, 'data_type'],
        `is ${type}, which ONNX Runtime has no kernels for; convert the tensor`,
      );
    }
    const graphDims = reshape === undefined ? undefined : (reshape.shape ?? []);
    const fault = graphDims === undefined ? undefined : reshapeFault(dims, graphDims);
    if (fault !== undefined) refuse([key, index, 'reshape', 'shape'], fault);
    return { name, datatype: datatype ?? 'FP32', dims, reshape: graphDims };
  });
}

/**
 * Why two shapes can't have the same elements; undefined where they can. As in Triton, free sizes (-1) correspond in their
 * order, and the fixed sizes between them must have equal products.
 */
export function reshapeFault(dims: readonly number[], reshape: readonly number[]): string | undefined {
  const products = (shape: readonly number[]): readonly number[] =>
    shape.reduce<number[]>(
      (runs, size) => (size === -1 ? [...runs, 1] : [...runs.slice(0, -1), (runs.at(-1) ?? 1) * size]),
      [1],
    );
  const [from, to] = [products(dims), products(reshape)];
  if (from.length === to.length && from.every((product, index) => product === to[index])) return undefined;
  return `is [${reshape.join(', ')}]; expected as many elements as dims, [${dims.join(', ')}], with -1 at the same places`;
}
