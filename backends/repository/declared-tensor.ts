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
    if (reshape !== undefined) {
      refuse(
        [key, index, 'reshape'],
        'is not supported: give dims as the graph has them, and let callers send that shape',
      );
    }
    return { name, datatype: datatype ?? 'FP32', dims };
  });
}
