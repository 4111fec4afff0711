import { Type } from 'typebox';
import { json } from '../../openapi/common-docs.ts';
import { loadDocs, unloadDocs } from '../../openapi/load-docs.ts';
import type { OperationDocs } from '../../openapi/operation.ts';

const tag = 'Models';

const Version = Type.Object({
  version: Type.Integer({ minimum: 1 }),
  state: Type.Enum(['READY', 'LOADING', 'UNLOADING', 'UNAVAILABLE']),
  reason: Type.String({ description: 'Why it can not answer; empty where it can.' }),
  platform: Type.Optional(Type.String()),
  digest: Type.Optional(Type.String({ description: "SHA-256 of the model's files." })),
  instances: Type.Optional(
    Type.Object({ ready: Type.Integer(), hung: Type.Integer(), wanted: Type.Integer() }),
  ),
  provider: Type.Optional(Type.String({ description: 'As `cpu`, `webgpu` or `cuda:0`.' })),
  queued: Type.Optional(Type.Integer()),
  batching: Type.Optional(
    Type.Object({
      enabled: Type.Boolean(),
      maxBatchSize: Type.Integer(),
      preferredBatchSizes: Type.Array(Type.Integer()),
      maxQueueDelayMs: Type.Number(),
      priorityLevels: Type.Integer(),
      targetLatencyMs: Type.Optional(Type.Number()),
    }),
  ),
  statistics: Type.Optional(
    Type.Object(
      {
        answered: Type.Integer(),
        failed: Type.Integer(),
        rows: Type.Integer(),
        runs: Type.Integer(),
        totalMs: Type.Number(),
        queueMs: Type.Number(),
        computeMs: Type.Number(),
        runsByRows: Type.Array(Type.Object({ rows: Type.Integer(), runs: Type.Integer() })),
      },
      { description: 'Since it was loaded; times are sums.' },
    ),
  ),
});

const Model = Type.Object({ name: Type.String(), versions: Type.Array(Version) }, { $id: 'Model' });

export const MODELS_DOCS: OperationDocs = {
  id: 'models',
  tag,
  summary: 'The models that are served',
  description: 'A key for some models sees these.',
  answers: {
    200: {
      description: 'Their versions, how they batch, and what they have done.',
      content: json(Type.Object({ models: Type.Array(Model) }, { $id: 'Models' })),
    },
  },
};

export const LOAD_DOCS: OperationDocs = loadDocs(tag, {
  description: 'The model as it is now.',
  content: json(Model),
});

export const UNLOAD_DOCS: OperationDocs = unloadDocs(tag, {
  description:
    'The model as it is now: without versions where it is gone, with those that answer their last requests as `UNLOADING`.',
  content: json(Model),
});
