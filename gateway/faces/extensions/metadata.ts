import type { DescribedModel } from './lookup.ts';

/** The extensions of the Open Inference Protocol that are served. */
export const EXTENSIONS: readonly string[] = [
  'classification',
  'model_repository',
  'schedule_policy',
  'model_configuration',
  'binary_tensor_data',
  'parameters',
  'statistics',
  'trace',
  'logging',
];

/** Model metadata: `GET /v2/models/{model}[/versions/{version}]`. -1 stands for a dimension of any size. */
export function modelMetadata({ name, versions, version }: DescribedModel): object {
  return {
    name,
    versions: versions.map(String),
    platform: version.about.platform,
    inputs: version.about.inputs,
    outputs: version.about.outputs,
  };
}
