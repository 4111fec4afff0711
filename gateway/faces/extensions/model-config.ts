import { configDatatype } from '../../../backends/repository/declared-tensor.ts';
import { modelConfigJson } from '../../../backends/repository/model-config-json.ts';
import type { TensorSpec } from '../../../backends/tensor/tensor.ts';
import { UpstreamVersion } from '../../upstream/upstream-version.ts';
import type { ModelPath } from '../http-call.ts';
import { describedModel } from './lookup.ts';
import type { ModelPlaces } from './lookup.ts';

/**
 * The configuration of the version that a path names or of the highest that is ready, in the shape of Triton's extension.
 *
 * @throws GatewayError where the path names what isn't served
 */
export function modelConfig(places: ModelPlaces, path: ModelPath): Readonly<Record<string, unknown>> {
  const { version } = describedModel(places, path);
  return version instanceof UpstreamVersion ? configElsewhere(version) : modelConfigJson(version.about);
}

/** What the variant's server says of its model. How many rows it takes it alone knows: shapes are whole, as of a model that doesn't batch. */
function configElsewhere({ about: { model, platform, inputs, outputs } }: UpstreamVersion) {
  return {
    name: model,
    platform,
    backend: '',
    max_batch_size: 0,
    input: inputs.map(tensorJson),
    output: outputs.map(tensorJson),
  };
}

function tensorJson({ name, datatype, shape }: TensorSpec): object {
  return { name, data_type: configDatatype(datatype), dims: shape };
}
