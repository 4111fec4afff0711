import { InvalidDocuments } from '../../documents/problem.ts';
import type { Problem } from '../../documents/problem.ts';
import { checkDocument } from '../../documents/schema-check.ts';
import type { Path, SourceDocument } from '../../documents/source-document.ts';
import { DEFAULT_QUEUE_POLICY } from '../batching/batching-config.ts';
import type { BatchingConfig } from '../batching/batching-config.ts';
import { readImageSpec } from '../image/image-spec.ts';
import type { ImageSpec } from '../image/image-spec.ts';
import type { WarmupSample } from '../warmup/warmup-sample.ts';
import type { ModelBackend } from '../ensemble/ensemble-config.ts';
import { readAccelerators } from './accelerators.ts';
import { readBackend } from './ensemble-fields.ts';
import { readBatching } from './batching-fields.ts';
import { readInstanceGroups } from './instance-groups.ts';
import type { InstanceGroup } from './instance-groups.ts';
import { unsupportedFields } from './unsupported-fields.ts';
import { ModelConfigSchema } from './model-config-schema.ts';
import type { ModelConfigFile } from './model-config-schema.ts';
import { backendFault } from './foreign-models.ts';
import { readDeclaredTensors } from './declared-tensor.ts';
import type { DeclaredTensor } from './declared-tensor.ts';
import { isPlainFilename } from './field-checks.ts';
import type { Refuse } from './field-checks.ts';
import { withSignalbox } from './signalbox-parameter.ts';
import type { VersionPolicy } from './version-policy.ts';
import { readWarmup } from './warmup-fields.ts';

export { ModelConfigSchema };
export type { ModelConfigFile };

/** A model's configuration; what only the graph can tell is still open. */
export interface ModelConfig {
  /** What runs it. */
  readonly backend: ModelBackend;
  /** Rows a batch may have, 0 for a model that doesn't batch; undefined: taken from the graph. */
  readonly maxBatchSize: number | undefined;
  readonly batching: BatchingConfig;
  readonly versionPolicy: VersionPolicy;
  /** Instances of each version, >= 1: those of all groups. */
  readonly instances: number;
  readonly instanceGroups: readonly InstanceGroup[];
  /** Whether TensorRT is to run it where it runs on a GPU. */
  readonly tensorrt: boolean;
  /** Threads that one run may use; undefined: the cores shared out over the instances. */
  readonly threads: number | undefined;
  /** The model's file in its version's folder. */
  readonly modelFilename: string;
  /** Undefined: as the graph has them. */
  readonly inputs: readonly DeclaredTensor[] | undefined;
  /** Undefined: as the graph has them. */
  readonly outputs: readonly DeclaredTensor[] | undefined;
  readonly warmup: readonly WarmupSample[];
  /** Whether answers may come from a cache. */
  readonly responseCache: boolean;
  /** The labels file's name, relative to the model's folder; of several that outputs have each for themselves, the first. */
  readonly labelsFile: string | undefined;
  /** The same of single outputs, by their names; empty where `labelsFile` is every output's. */
  readonly outputLabelsFiles: ReadonlyMap<string, string>;
  /** Undefined: the model takes no image calls. */
  readonly image: ImageSpec | undefined;
  /** The fields as they were written. */
  readonly written: ModelConfigFile;
  /** What is known but not supported, each with what happens instead. */
  readonly warnings: readonly Problem[];
}

/** Parameters that Triton's ONNX Runtime backend acts on, and the gateway does not. */
const RUNTIME_PARAMETERS = [
  'inter_op_thread_count',
  'execution_mode',
  'enable_mem_arena',
  'enable_mem_pattern',
  'memory.enable_memory_arena_shrinkage',
  'session.use_device_allocator_for_initializers',
  'optimized_model_filepath',
];

export const DEFAULT_MODEL_FILENAME = 'model.onnx';

export const DEFAULT_MODEL_CONFIG: ModelConfig = Object.freeze<ModelConfig>({
  backend: { kind: 'onnxruntime' },
  maxBatchSize: undefined,
  batching: Object.freeze({
    enabled: true,
    preferredBatchSizes: [],
    maxQueueDelayMs: 0,
    preserveOrdering: false,
    priorityLevels: 0,
    defaultPriorityLevel: 0,
    defaultQueuePolicy: DEFAULT_QUEUE_POLICY,
    priorityQueuePolicies: new Map(),
    targetLatencyMs: undefined,
  }),
  versionPolicy: { kind: 'all' },
  instances: 1,
  instanceGroups: [],
  tensorrt: false,
  threads: undefined,
  modelFilename: DEFAULT_MODEL_FILENAME,
  inputs: undefined,
  outputs: undefined,
  warmup: [],
  responseCache: false,
  labelsFile: undefined,
  outputLabelsFiles: new Map(),
  image: undefined,
  written: {},
  warnings: [],
});

/**
 * Reads a model's configuration, whatever format it was written in.
 *
 * @param folder the name of the model's folder, under which it is served
 * @throws InvalidDocuments
 */
export function readModelConfig(source: SourceDocument, folder: string): ModelConfig {
  const document = withSignalbox(source);
  const file = checkDocument(document, ModelConfigSchema);
  const problems: Problem[] = [];
  const refuse: Refuse = (path, message) => {
    problems.push(document.problemAt(path, message));
  };
  if (file.name !== undefined && file.name !== folder) {
    refuse(['name'], `is "${file.name}"; expected the name of the model's folder, "${folder}"`);
  }
  for (const key of ['platform', 'backend'] as const) {
    const fault = backendFault(key, file[key] ?? '');
    if (fault !== undefined) refuse([key], fault);
  }
  const image = file.signalbox?.image === undefined ? undefined : readImageSpec(file.signalbox.image);
  for (const { key, message } of image?.faults ?? []) refuse(['signalbox', 'image', key], message);
  const { groups, warnings } = readInstanceGroups(file, document);
  const accelerators = readAccelerators(file, document);
  const config: ModelConfig = {
    backend: readBackend(file, document, refuse),
    maxBatchSize: file.max_batch_size,
    batching: readBatching(file, refuse),
    versionPolicy: readVersionPolicy(file, refuse),
    instances: groups.reduce((count, group) => count + group.count, 0) || 1,
    instanceGroups: groups,
    tensorrt: accelerators.tensorrt,
    threads: readThreads(file, refuse),
    modelFilename: readFilename(file, refuse),
    inputs: readDeclaredTensors(file, 'input', refuse),
    outputs: readDeclaredTensors(file, 'output', refuse),
    warmup: readWarmup(file, refuse),
    responseCache: file.response_cache?.enable ?? false,
    ...readLabelsFiles(file, refuse),
    image: image?.spec,
    written: file,
    warnings: [
      ...unsupportedFields(document, ModelConfigSchema),
      ...warnings,
      ...accelerators.warnings,
      ...RUNTIME_PARAMETERS.filter((name) => file.parameters?.[name] !== undefined).map((name) =>
        document.problemAt(['parameters', name], 'is not supported: the gateway sets up ONNX Runtime itself'),
      ),
    ],
  };
  if (problems.length > 0) throw new InvalidDocuments(problems);
  return Object.freeze(config);
}

function readVersionPolicy(file: ModelConfigFile, refuse: Refuse): VersionPolicy {
  const policy = file.version_policy;
  if (policy === undefined) return { kind: 'all' };
  const { latest, all, specific } = policy;
  const given = [latest, all, specific].filter((choice) => choice !== undefined).length;
  if (given !== 1)
    refuse(['version_policy'], `has ${given} policies; expected one of latest, all and specific`);
  if (latest !== undefined) return { kind: 'latest', count: latest.num_versions ?? 1 };
  if (specific !== undefined) return { kind: 'specific', versions: specific.versions };
  return { kind: 'all' };
}

function readThreads(file: ModelConfigFile, refuse: Refuse): number | undefined {
  const threads = file.parameters?.intra_op_thread_count?.string_value;
  if (threads === undefined) return undefined;
  if (!/^[0-9]{1,3}$/.test(threads)) {
    refuse(
      ['parameters', 'intra_op_thread_count', 'string_value'],
      `is "${threads}"; expected a number of threads in quotes, from "1" to "999", or "0" for the default`,
    );
  }
  // As in Triton, whose documentation's own example has it.
  return Number(threads) === 0 ? undefined : Number(threads);
}

function readFilename(file: ModelConfigFile, refuse: Refuse): string {
  const name = file.default_model_filename ?? '';
  if (name === '') return DEFAULT_MODEL_FILENAME;
  if (!isPlainFilename(name)) {
    refuse(
      ['default_model_filename'],
      `is "${name}"; expected the name of a file in the version's own folder`,
    );
  }
  return name;
}

type LabelsFiles = Pick<ModelConfig, 'labelsFile' | 'outputLabelsFiles'>;

/** `signalbox.labels` are every output's; Triton's own field is that of its output alone. */
function readLabelsFiles(file: ModelConfigFile, refuse: Refuse): LabelsFiles {
  const named = (name: string, path: Path): string => {
    if (!isPlainFilename(name))
      refuse(path, `is "${name}"; expected the name of a file in the model's own folder`);
    return name;
  };
  const every = file.signalbox?.labels;
  if (every !== undefined)
    return { labelsFile: named(every, ['signalbox', 'labels']), outputLabelsFiles: new Map() };
  const outputLabelsFiles = new Map<string, string>();
  for (const [index, { name, label_filename: labels = '' }] of (file.output ?? []).entries())
    if (labels !== '') outputLabelsFiles.set(name, named(labels, ['output', index, 'label_filename']));
  const [first] = outputLabelsFiles.values();
  return { labelsFile: first, outputLabelsFiles };
}
