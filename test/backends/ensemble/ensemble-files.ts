import { addingModel } from '../../models/small-models.ts';

/** A step of {@link ensembleConfig}, as `model[:version] INPUT=tensor -> OUTPUT=tensor`. */
export type StepText = string;

/** The `config.yaml` of an ensemble of FP32 tensors with two numbers a row, `in` to `out`. */
export function ensembleConfig(
  steps: readonly StepText[],
  { input = ['in'], output = ['out'], maxBatchSize = 8, more = '' } = {},
): string {
  const tensors = (names: readonly string[]): string =>
    names.map((name) => `  - { name: ${name}, data_type: TYPE_FP32, dims: [2] }`).join('\n');
  const written = steps.map((step) => {
    const [, model, version = '-1', from, to] = /^([\w.-]+)(?::(-?\d+))? (.*) -> (.*)$/.exec(step) ?? [];
    const map = (text = ''): string => `{ ${text.split(' ').join(', ').replaceAll('=', ': ')} }`;
    return `    - { model_name: ${model ?? ''}, model_version: ${version}, input_map: ${map(from)}, output_map: ${map(to)} }`;
  });
  return [
    'platform: ensemble',
    `max_batch_size: ${maxBatchSize}`,
    `input:\n${tensors(input)}`,
    `output:\n${tensors(output)}`,
    `ensemble_scheduling:\n  step:\n${written.join('\n')}`,
    more,
  ].join('\n');
}

/** Two models, `one` that adds 1 and `ten` that adds 10, and an ensemble `both` that does one after the other. */
export function addingFiles(config?: string): Readonly<Record<string, string | Uint8Array>> {
  return {
    'one/1/model.onnx': addingModel(1),
    'ten/1/model.onnx': addingModel(10),
    'both/config.yaml':
      config ?? ensembleConfig(['one INPUT=in -> OUTPUT=mid', 'ten INPUT=mid -> OUTPUT=out']),
    'both/1/.gitkeep': '',
  };
}
