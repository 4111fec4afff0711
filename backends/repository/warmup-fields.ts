import type { WarmupData, WarmupInput, WarmupSample } from '../warmup/warmup-sample.ts';
import { datatypeOfConfig } from './declared-tensor.ts';
import { isPlainFilename } from './field-checks.ts';
import type { Refuse } from './field-checks.ts';
import type { ModelConfigFile } from './model-config-schema.ts';

type WrittenSample = NonNullable<ModelConfigFile['model_warmup']>[number];
type WrittenInput = WrittenSample['inputs'][string];

/** Reads `model_warmup`. */
export function readWarmup(file: ModelConfigFile, refuse: Refuse): readonly WarmupSample[] {
  return (file.model_warmup ?? []).map((sample, index) => {
    const path = ['model_warmup', index];
    if (file.max_batch_size !== undefined && sample.batch_size > Math.max(1, file.max_batch_size)) {
      refuse(
        [...path, 'batch_size'],
        `is ${sample.batch_size}; expected at most ${Math.max(1, file.max_batch_size)}, as max_batch_size is ` +
          `${file.max_batch_size}`,
      );
    }
    const inputs = Object.entries(sample.inputs).map(([name, input]): WarmupInput => {
      const here = [...path, 'inputs', name];
      const datatype = datatypeOfConfig(input.data_type);
      if (datatype === undefined)
        refuse([...here, 'data_type'], `is ${input.data_type}, which can't be served`);
      return {
        name,
        datatype: datatype ?? 'FP32',
        dims: input.dims ?? [],
        data: readData(input, (message) => {
          refuse(here, message);
        }),
      };
    });
    return {
      name: sample.name ?? `sample ${index}`,
      rows: sample.batch_size,
      count: Math.max(1, sample.count ?? 1),
      inputs,
    };
  });
}

/** As in Triton, a flag counts when it is there, whatever its value. */
function readData(written: WrittenInput, refuse: (message: string) => void): WarmupData {
  const { zero_data: zero, random_data: random, input_data_file: file } = written;
  const given = [zero, random, file].filter((choice) => choice !== undefined).length;
  if (given !== 1)
    refuse(`has ${given} kinds of data; expected one of zero_data, random_data and input_data_file`);
  if (file !== undefined) {
    if (!isPlainFilename(file)) refuse(`names "${file}"; expected a file in the model's folder warmup`);
    return { kind: 'file', file };
  }
  return { kind: random === undefined ? 'zero' : 'random' };
}
