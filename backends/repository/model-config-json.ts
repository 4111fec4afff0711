import type { ModelSignature } from '../check.ts';
import type { TensorSpec } from '../tensor/tensor.ts';
import { configDatatype } from './declared-tensor.ts';
import type { DeclaredTensor } from './declared-tensor.ts';
import type { ModelConfig } from './model-config.ts';
import type { VersionPolicy } from './version-policy.ts';

/** A loaded version, as far as its configuration can tell of it. */
export interface ConfiguredModel extends ModelSignature {
  readonly platform: string;
  readonly config: ModelConfig;
}

/**
 * A model's configuration as JSON, in the shape of Triton's model configuration extension: as it was written, with what was
 * left out filled in from the graph. Given as the configuration of a load it makes the same model.
 */
export function modelConfigJson(served: ConfiguredModel): Readonly<Record<string, unknown>> {
  const { model, config, maxBatchSize } = served;
  const { signalbox, parameters, ...written } = config.written;
  const batches = maxBatchSize > 0;
  const runs = config.backend.kind === 'onnxruntime' ? onnxFields(served) : {};
  return {
    ...written,
    name: model,
    platform: served.platform,
    backend: config.backend.kind === 'ensemble' ? '' : config.backend.kind,
    version_policy: policyJson(config.versionPolicy),
    max_batch_size: maxBatchSize,
    input: served.inputs.map((spec) => ({
      ...tensorJson(spec, batches),
      ...reshapeJson(config.inputs, spec.name),
    })),
    output: served.outputs.map((spec) => ({
      ...tensorJson(spec, batches),
      ...reshapeJson(config.outputs, spec.name),
      label_filename:
        written.output?.find(({ name }) => name === spec.name)?.label_filename ?? signalbox?.labels ?? '',
    })),
    ...runs,
    parameters: {
      ...parameters,
      ...(signalbox !== undefined && { signalbox: { string_value: JSON.stringify(signalbox) } }),
    },
    model_warmup: written.model_warmup ?? [],
    response_cache: { enable: config.responseCache },
  };
}

/** What says how ONNX Runtime runs a model. */
function onnxFields({ model, config, maxBatchSize }: ConfiguredModel): object {
  const groups = config.instanceGroups.length > 0 ? config.instanceGroups : [DEFAULT_GROUP];
  return {
    ...(maxBatchSize > 0 && { dynamic_batching: batchingJson(config) }),
    instance_group: groups.map(({ name, kind, count, gpus }, index) => ({
      name: name ?? `${model}_${index}`,
      kind,
      count,
      gpus,
    })),
    default_model_filename: config.modelFilename,
  };
}

const DEFAULT_GROUP = { name: undefined, kind: 'KIND_AUTO', count: 1, gpus: [] };

function tensorJson({ name, datatype, shape }: TensorSpec, batches: boolean): object {
  return { name, data_type: configDatatype(datatype), dims: batches ? shape.slice(1) : shape };
}

function reshapeJson(declared: readonly DeclaredTensor[] | undefined, name: string): object {
  const reshape = declared?.find((tensor) => tensor.name === name)?.reshape;
  return reshape === undefined ? {} : { reshape: { shape: reshape } };
}

function policyJson(policy: VersionPolicy): object {
  switch (policy.kind) {
    case 'all':
      return { all: {} };
    case 'latest':
      return { latest: { num_versions: policy.count } };
    case 'specific':
      return { specific: { versions: policy.versions } };
  }
}

function batchingJson({ batching, written }: ModelConfig): object {
  return {
    ...written.dynamic_batching,
    preferred_batch_size: batching.preferredBatchSizes,
    max_queue_delay_microseconds: Math.round(batching.maxQueueDelayMs * 1000),
    preserve_ordering: batching.preserveOrdering,
    priority_levels: batching.priorityLevels,
    default_priority_level: batching.defaultPriorityLevel,
  };
}
