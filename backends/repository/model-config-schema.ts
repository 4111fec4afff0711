import { Type } from 'typebox';
import type { Static, TSchema } from 'typebox';
import { ImageSpecSchema } from '../image/image-spec.ts';
import { enumNames, schemaOfField } from './model-config-proto.ts';

/** Instances of a version at the most: each is a thread, with a session of its own. */
export const MAX_INSTANCES = 64;

const Whole = (minimum: number, maximum: number, expected: string) =>
  Type.Integer({ minimum, maximum, expected });

const Flag = () => Type.Boolean({ expected: 'true or false' });

const Text = (expected: string) => Type.String({ expected });

/** A day: longer than any request waits. */
const LONGEST_US = 86_400_000_000;

const Microseconds = () => Whole(0, LONGEST_US, `a whole number of microseconds from 0 to ${LONGEST_US}`);

/**
 * A field that is known, but that nothing acts on: where it is set to anything but its default, a warning names it.
 *
 * @param instead what happens instead, as the end of the sentence "is not supported: …"
 */
function notSupported(message: string, field: string, instead: string) {
  return Type.Optional(Type.Unsafe<unknown>({ ...schemaOfField(message, field), unsupported: instead }));
}

const DataType = () => Type.Enum(enumNames('DataType').filter((name) => name !== 'TYPE_INVALID'));

const Dims = (expected: string) =>
  Type.Array(Whole(-1, Number.MAX_SAFE_INTEGER, 'a size >= 0, or -1 for any'), { expected });

const Reshape = () =>
  Type.Object(
    { shape: Type.Optional(Dims('a list of sizes, [] for none')) },
    { additionalProperties: false, expected: 'a map with shape' },
  );

const ONLY_TENSORRT = 'it is for TensorRT only';

const InputSchema = Type.Object(
  {
    name: Text("an input's name"),
    data_type: DataType(),
    dims: Dims('a list of sizes without the batch dimension'),
    reshape: Type.Optional(Reshape()),
    format: notSupported(
      'ModelInput',
      'format',
      'tensors are taken as they come; images have signalbox.image',
    ),
    is_shape_tensor: notSupported('ModelInput', 'is_shape_tensor', ONLY_TENSORRT),
    allow_ragged_batch: notSupported(
      'ModelInput',
      'allow_ragged_batch',
      'requests whose shapes differ are batched apart',
    ),
    optional: notSupported('ModelInput', 'optional', 'every input of the graph is needed'),
    is_non_linear_format_io: notSupported('ModelInput', 'is_non_linear_format_io', ONLY_TENSORRT),
  },
  { additionalProperties: false, expected: 'a map with name, data_type and dims' },
);

const OutputSchema = Type.Object(
  {
    name: Text("an output's name"),
    data_type: DataType(),
    dims: Dims('a list of sizes without the batch dimension'),
    reshape: Type.Optional(Reshape()),
    label_filename: Type.Optional(Text('a file beside this one, one label a line')),
    is_shape_tensor: notSupported('ModelOutput', 'is_shape_tensor', ONLY_TENSORRT),
    is_non_linear_format_io: notSupported('ModelOutput', 'is_non_linear_format_io', ONLY_TENSORRT),
  },
  { additionalProperties: false, expected: 'a map with name, data_type and dims' },
);

const VersionPolicySchema = Type.Object(
  {
    latest: Type.Optional(
      Type.Object(
        { num_versions: Type.Optional(Whole(1, 65_536, 'a whole number of versions >= 1')) },
        { additionalProperties: false, expected: 'a map with num_versions' },
      ),
    ),
    all: Type.Optional(Type.Object({}, { additionalProperties: false, expected: 'an empty map' })),
    specific: Type.Optional(
      Type.Object(
        {
          versions: Type.Array(Whole(1, Number.MAX_SAFE_INTEGER, "a version's number > 0"), {
            minItems: 1,
            expected: 'a list of at least one version',
          }),
        },
        { additionalProperties: false, expected: 'a map with versions' },
      ),
    ),
  },
  { additionalProperties: false, expected: 'one of latest, all and specific' },
);

const QueuePolicySchema = Type.Object(
  {
    timeout_action: Type.Optional(Type.Enum(['REJECT', 'DELAY'])),
    default_timeout_microseconds: Type.Optional(Microseconds()),
    allow_timeout_override: Type.Optional(Flag()),
    max_queue_size: Type.Optional(Whole(0, 4_294_967_295, 'a whole number of requests, 0 for the default')),
  },
  { additionalProperties: false, expected: 'a queue policy, a map' },
);

const DynamicBatchingSchema = Type.Object(
  {
    preferred_batch_size: Type.Optional(
      Type.Array(Whole(1, 65_536, 'a whole number > 0'), { expected: 'a list of batch sizes in rows' }),
    ),
    max_queue_delay_microseconds: Type.Optional(
      Whole(0, 60_000_000, 'a whole number of microseconds from 0 to 60000000'),
    ),
    preserve_ordering: Type.Optional(Flag()),
    priority_levels: Type.Optional(Whole(0, 1000, 'a whole number of levels from 0 to 1000')),
    default_priority_level: Type.Optional(Whole(0, 1000, 'a level from 1 to priority_levels')),
    default_queue_policy: Type.Optional(QueuePolicySchema),
    priority_queue_policy: Type.Optional(
      Type.Record(Type.String(), QueuePolicySchema, { expected: 'a map of levels to queue policies' }),
    ),
  },
  { additionalProperties: false, expected: 'a map, {} for the defaults' },
);

const InstanceGroupSchema = Type.Object(
  {
    name: Type.Optional(Text("the group's name")),
    count: Type.Optional(Whole(1, MAX_INSTANCES, `a whole number of instances from 1 to ${MAX_INSTANCES}`)),
    kind: Type.Optional(Type.Enum(['KIND_AUTO', 'KIND_CPU', 'KIND_GPU', 'KIND_MODEL'])),
    gpus: Type.Optional(Type.Array(Whole(0, 1023, "a GPU's number >= 0"), { expected: 'a list of GPUs' })),
    rate_limiter: notSupported('ModelInstanceGroup', 'rate_limiter', 'every instance runs when it is free'),
    secondary_devices: notSupported('ModelInstanceGroup', 'secondary_devices', ONLY_TENSORRT),
    profile: notSupported('ModelInstanceGroup', 'profile', ONLY_TENSORRT),
    passive: notSupported('ModelInstanceGroup', 'passive', 'the instances take requests'),
    host_policy: notSupported('ModelInstanceGroup', 'host_policy', 'the operating system places the threads'),
  },
  { additionalProperties: false, expected: 'a map of count, kind and gpus' },
);

const WarmupSchema = Type.Object(
  {
    name: Type.Optional(Text("the sample's name")),
    batch_size: Whole(1, 65_536, 'a whole number of rows >= 1'),
    count: Type.Optional(Whole(0, 100_000, 'a whole number of runs, 0 for one')),
    inputs: Type.Record(
      Type.String(),
      Type.Object(
        {
          data_type: DataType(),
          dims: Type.Optional(Type.Array(Whole(0, Number.MAX_SAFE_INTEGER, 'a size >= 0'))),
          zero_data: Type.Optional(Flag()),
          random_data: Type.Optional(Flag()),
          input_data_file: Type.Optional(Text("a file in the model's folder warmup")),
        },
        {
          additionalProperties: false,
          expected: 'a map of data_type, dims and one of zero_data, random_data, input_data_file',
        },
      ),
      { expected: "a map of the inputs' names to their data" },
    ),
  },
  { additionalProperties: false, expected: 'a map with batch_size and inputs' },
);

const TensorMap = () =>
  Type.Record(Type.String(), Text("a tensor's name"), { expected: 'a map of names of tensors' });

/** `ensemble_scheduling`. */
export const EnsembleSchema = Type.Object(
  {
    step: Type.Array(
      Type.Object(
        {
          model_name: Text("a model's name"),
          model_version: Type.Optional(
            Whole(-1, Number.MAX_SAFE_INTEGER, "a version's number, or -1 for the highest"),
          ),
          input_map: TensorMap(),
          output_map: TensorMap(),
          model_namespace: notSupported(
            'ModelEnsembling.Step',
            'model_namespace',
            'models have one name each',
          ),
        },
        { additionalProperties: false, expected: 'a map of model_name, input_map and output_map' },
      ),
      { minItems: 1, expected: 'a list of at least one step' },
    ),
    max_inflight_responses: notSupported(
      'ModelEnsembling',
      'max_inflight_responses',
      'each request has one answer',
    ),
  },
  { additionalProperties: false, expected: 'a map with step' },
);

const AcceleratorSchema = Type.Object(
  {
    name: Type.Optional(Text("an accelerator's name")),
    parameters: Type.Optional(Type.Record(Type.String(), Type.String())),
  },
  { additionalProperties: false, expected: 'a map of name and parameters' },
);

const ExecutionAcceleratorsSchema = Type.Object(
  {
    gpu_execution_accelerator: Type.Optional(Type.Array(AcceleratorSchema)),
    cpu_execution_accelerator: Type.Optional(Type.Array(AcceleratorSchema)),
  },
  {
    additionalProperties: false,
    expected: 'a map of gpu_execution_accelerator and cpu_execution_accelerator',
  },
);

const optimization = (field: string, instead: string) =>
  notSupported('ModelOptimizationPolicy', field, instead);

const OptimizationSchema = Type.Object(
  {
    graph: optimization('graph', "every model has ONNX Runtime's full optimisation"),
    priority: optimization('priority', ONLY_TENSORRT),
    cuda: optimization('cuda', ONLY_TENSORRT),
    execution_accelerators: Type.Optional(ExecutionAcceleratorsSchema),
    input_pinned_memory: optimization('input_pinned_memory', 'tensors lie in memory that the threads share'),
    output_pinned_memory: optimization(
      'output_pinned_memory',
      'tensors lie in memory that the threads share',
    ),
    gather_kernel_buffer_threshold: optimization('gather_kernel_buffer_threshold', ONLY_TENSORRT),
    eager_batching: optimization('eager_batching', ONLY_TENSORRT),
  },
  { additionalProperties: false, expected: 'a map of optimisations' },
);

const SignalboxSchema = Type.Object(
  {
    labels: Type.Optional(
      Type.String({ minLength: 1, expected: 'a file beside this one, one label a line' }),
    ),
    image: Type.Optional(ImageSpecSchema),
    batching: Type.Optional(
      Type.Object(
        {
          target_latency_ms: Type.Optional(
            Type.Number({ exclusiveMinimum: 0, maximum: 600_000, expected: 'milliseconds, above 0' }),
          ),
        },
        { additionalProperties: false, expected: 'a map with target_latency_ms' },
      ),
    ),
  },
  { additionalProperties: false, expected: 'a map with labels, image and batching' },
);

const top = (field: string, instead: string) => notSupported('ModelConfig', field, instead);

/**
 * Every field of Triton's ModelConfig, under the same names in `config.yaml` and in `config.pbtxt`, and `signalbox` for this
 * project's own. A field that is not here is unknown.
 */
export const ModelConfigSchema = Type.Object(
  {
    name: Type.Optional(Text("the model's name")),
    platform: Type.Optional(Text('onnxruntime_onnx')),
    backend: Type.Optional(Text('onnxruntime')),
    runtime: top('runtime', 'ONNX Runtime is part of the gateway'),
    version_policy: Type.Optional(VersionPolicySchema),
    max_batch_size: Type.Optional(
      Whole(0, 65_536, 'a whole number from 0 (the model does not batch) to 65536'),
    ),
    input: Type.Optional(Type.Array(InputSchema, { expected: 'a list of inputs' })),
    output: Type.Optional(Type.Array(OutputSchema, { expected: 'a list of outputs' })),
    batch_input: top('batch_input', "the model gets its callers' inputs only"),
    batch_output: top('batch_output', 'outputs are cut along their rows'),
    optimization: Type.Optional(OptimizationSchema),
    dynamic_batching: Type.Optional(DynamicBatchingSchema),
    sequence_batching: top('sequence_batching', 'each request stands for itself'),
    ensemble_scheduling: Type.Optional(EnsembleSchema),
    instance_group: Type.Optional(
      Type.Array(InstanceGroupSchema, { maxItems: 64, expected: 'a list of instance groups' }),
    ),
    default_model_filename: Type.Optional(Text("the model's file in its version's folder")),
    cc_model_filenames: top('cc_model_filenames', 'default_model_filename is served on every device'),
    metric_tags: top('metric_tags', 'metrics have the labels of docs/metrics.md'),
    parameters: Type.Optional(
      Type.Record(
        Type.String(),
        Type.Object(
          { string_value: Type.Optional(Text('a text in quotes')) },
          { additionalProperties: false, expected: 'a map with string_value' },
        ),
        { expected: 'a map of parameters' },
      ),
    ),
    model_warmup: Type.Optional(Type.Array(WarmupSchema, { expected: 'a list of samples' })),
    model_operations: top('model_operations', 'only the operators of ONNX Runtime are there'),
    model_transaction_policy: top('model_transaction_policy', 'each request has one answer'),
    model_repository_agents: top('model_repository_agents', 'the files are served as they are'),
    response_cache: Type.Optional(
      Type.Object(
        { enable: Type.Optional(Flag()) },
        { additionalProperties: false, expected: 'a map with enable' },
      ),
    ),
    model_metrics: top('model_metrics', 'metrics have the buckets of docs/metrics.md'),
    signalbox: Type.Optional(SignalboxSchema),
  },
  { additionalProperties: false, expected: "a map of Triton's ModelConfig fields" },
);

export type ModelConfigFile = Static<typeof ModelConfigSchema>;

/** What stands in a schema's node of a field that is known but not supported: what happens instead. */
export function unsupportedIn(schema: TSchema): string | undefined {
  const { unsupported } = schema as { readonly unsupported?: unknown };
  return typeof unsupported === 'string' ? unsupported : undefined;
}
