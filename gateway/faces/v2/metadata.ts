import type { Servable } from '../../../backends/servable.ts';
import type { ServedModel } from '../../../backends/repository/served-model.ts';

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
export function modelMetadata(model: ServedModel, version: Servable): object {
  return {
    name: model.name,
    versions: model.ready.map((ready) => String(ready.version)),
    platform: version.platform,
    inputs: version.inputs,
    outputs: version.outputs,
  };
}
