import { Type } from 'typebox';
import type { Static } from 'typebox';
import { InvalidDocuments } from '../../documents/problem.ts';
import type { Problem } from '../../documents/problem.ts';
import { checkDocument } from '../../documents/schema-check.ts';
import type { Path, YamlDocument } from '../../documents/yaml-document.ts';
import { DEFAULT_QUEUE_POLICY } from '../batching/batching-config.ts';
import type { BatchingConfig } from '../batching/batching-config.ts';
import { ImageSpecSchema, readImageSpec } from '../image/image-spec.ts';
import type { ImageSpec } from '../image/image-spec.ts';

const Whole = (minimum: number, maximum: number, expected: string) =>
  Type.Integer({ minimum, maximum, expected });

const Parameter = (expected: string) =>
  Type.Object(
    { string_value: Type.String({ pattern: '^[0-9]{1,3}$', expected }) },
    { additionalProperties: false, expected: 'a map with string_value' },
  );

/** `config.yaml` beside a model's versions: Triton's ModelConfig fields, and `signalbox` for this project's own. */
export const ModelConfigSchema = Type.Object(
  {
    name: Type.Optional(Type.String({ expected: "the model's name" })),
    max_batch_size: Type.Optional(
      Whole(0, 65_536, 'a whole number from 0 (the model does not batch) to 65536'),
    ),
    dynamic_batching: Type.Optional(
      Type.Object(
        {
          preferred_batch_size: Type.Optional(
            Type.Array(Whole(1, 65_536, 'a whole number > 0'), { expected: 'a list of batch sizes in rows' }),
          ),
          max_queue_delay_microseconds: Type.Optional(
            Whole(0, 60_000_000, 'a whole number of microseconds from 0 to 60000000'),
          ),
        },
        { additionalProperties: false, expected: 'a map, {} for the defaults' },
      ),
    ),
    instance_group: Type.Optional(
      Type.Array(
        Type.Object(
          {
            count: Type.Optional(Whole(1, 64, 'a whole number of instances from 1 to 64')),
            kind: Type.Optional(Type.Enum(['KIND_AUTO', 'KIND_CPU'])),
          },
          { additionalProperties: false, expected: 'a map of count and kind' },
        ),
        { minItems: 1, maxItems: 1, expected: 'a list of one group' },
      ),
    ),
    parameters: Type.Optional(
      Type.Object(
        { intra_op_thread_count: Type.Optional(Parameter('a number of threads in quotes, as "2"')) },
        { additionalProperties: false, expected: 'a map of parameters' },
      ),
    ),
    signalbox: Type.Optional(
      Type.Object(
        {
          labels: Type.Optional(
            Type.String({ minLength: 1, expected: 'a file beside this one, one label a line' }),
          ),
          image: Type.Optional(ImageSpecSchema),
        },
        { additionalProperties: false, expected: 'a map with labels and image' },
      ),
    ),
  },
  { additionalProperties: false, expected: "a map of Triton's ModelConfig fields" },
);

export type ModelConfigFile = Static<typeof ModelConfigSchema>;

/** A model's configuration; what only the graph can tell is still open. */
export interface ModelConfig {
  /** Rows a batch may have, 0 for a model that doesn't batch; undefined: taken from the graph. */
  readonly maxBatchSize: number | undefined;
  readonly batching: BatchingConfig;
  /** Instances of each version, >= 1. */
  readonly instances: number;
  /** Threads that one run may use; undefined: the cores shared out over the instances. */
  readonly threads: number | undefined;
  /** The labels file's name, relative to the model's folder. */
  readonly labelsFile: string | undefined;
  /** Undefined: the model takes no image calls. */
  readonly image: ImageSpec | undefined;
}

const DEFAULT_BATCHING: BatchingConfig = Object.freeze({
  enabled: true,
  preferredBatchSizes: [],
  maxQueueDelayMs: 0,
  preserveOrdering: false,
  priorityLevels: 0,
  defaultPriorityLevel: 0,
  defaultQueuePolicy: DEFAULT_QUEUE_POLICY,
  priorityQueuePolicies: new Map(),
  targetLatencyMs: undefined,
});

export const DEFAULT_MODEL_CONFIG: ModelConfig = Object.freeze({
  maxBatchSize: undefined,
  batching: DEFAULT_BATCHING,
  instances: 1,
  threads: undefined,
  labelsFile: undefined,
  image: undefined,
});

/**
 * Reads a model's `config.yaml`.
 *
 * @param folder the name of the model's folder, under which it is served
 * @throws InvalidDocuments
 */
export function readModelConfig(document: YamlDocument, folder: string): ModelConfig {
  const file = checkDocument(document, ModelConfigSchema);
  const problems: Problem[] = [];
  const refuse = (path: Path, message: string): void => {
    problems.push(document.problemAt(path, message));
  };
  if (file.name !== undefined && file.name !== folder) {
    refuse(['name'], `is "${file.name}"; expected the name of the model's folder, "${folder}"`);
  }
  const preferred = file.dynamic_batching?.preferred_batch_size ?? [];
  preferred.forEach((rows, index) => {
    if (file.max_batch_size !== undefined && rows > file.max_batch_size) {
      const path = ['dynamic_batching', 'preferred_batch_size', index];
      refuse(path, `is ${rows}; expected at most max_batch_size, ${file.max_batch_size}`);
    }
  });
  const threads = file.parameters?.intra_op_thread_count?.string_value;
  if (threads !== undefined && Number(threads) < 1) {
    refuse(['parameters', 'intra_op_thread_count', 'string_value'], `is "${threads}"; expected at least "1"`);
  }
  const { labels, image: imageFile } = file.signalbox ?? {};
  if (labels !== undefined && (/[/\\]/.test(labels) || labels.startsWith('.'))) {
    refuse(['signalbox', 'labels'], `is "${labels}"; expected the name of a file in the model's own folder`);
  }
  const image = imageFile === undefined ? undefined : readImageSpec(imageFile);
  for (const { key, message } of image?.faults ?? []) refuse(['signalbox', 'image', key], message);
  if (problems.length > 0) throw new InvalidDocuments(problems);

  return Object.freeze({
    maxBatchSize: file.max_batch_size,
    batching: Object.freeze({
      ...DEFAULT_BATCHING,
      preferredBatchSizes: Object.freeze([...preferred].sort((a, b) => a - b)),
      maxQueueDelayMs: (file.dynamic_batching?.max_queue_delay_microseconds ?? 0) / 1000,
    }),
    instances: file.instance_group?.[0]?.count ?? 1,
    threads: threads === undefined ? undefined : Number(threads),
    labelsFile: labels,
    image: image?.spec,
  });
}
