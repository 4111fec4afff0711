import type { ModelVersion } from '../../../backends/model-version.ts';
import type { Tensor, TensorSpec } from '../../../backends/tensor/tensor.ts';

/** A version's configuration as Triton's ModelConfig in JSON, with what the graph filled in. */
export function modelConfigJson(version: ModelVersion) {
  const { model, maxBatchSize, config, inputs, outputs } = version;
  const tensor = ({ name, datatype, shape }: TensorSpec) => ({
    name,
    data_type: TYPES[datatype],
    // The batch dimension is said by max_batch_size, not here.
    dims: maxBatchSize > 0 ? shape.slice(1) : shape,
  });
  return {
    name: model,
    platform: 'onnxruntime_onnx',
    backend: 'onnxruntime',
    version_policy: { all: {} },
    max_batch_size: maxBatchSize,
    input: inputs.map(tensor),
    output: outputs.map((spec) => ({ ...tensor(spec), label_filename: config.labelsFile ?? '' })),
    ...(maxBatchSize > 0 && {
      dynamic_batching: {
        preferred_batch_size: config.batching.preferredBatchSizes,
        max_queue_delay_microseconds: Math.round(config.batching.maxQueueDelayMs * 1000),
      },
    }),
    instance_group: [{ name: model, kind: 'KIND_CPU', count: config.instances }],
    default_model_filename: 'model.onnx',
  };
}

/** Triton's names of the tensor types in a configuration. */
const TYPES: Readonly<Record<Tensor['datatype'], string>> = {
  BOOL: 'TYPE_BOOL',
  UINT8: 'TYPE_UINT8',
  UINT16: 'TYPE_UINT16',
  UINT32: 'TYPE_UINT32',
  UINT64: 'TYPE_UINT64',
  INT8: 'TYPE_INT8',
  INT16: 'TYPE_INT16',
  INT32: 'TYPE_INT32',
  INT64: 'TYPE_INT64',
  FP16: 'TYPE_FP16',
  FP32: 'TYPE_FP32',
  FP64: 'TYPE_FP64',
  BYTES: 'TYPE_STRING',
};
