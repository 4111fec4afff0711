import { Type } from 'typebox';
import { json } from '../openapi/common-docs.ts';
import type { OperationDocs } from '../openapi/operation.ts';

const tag = 'Open Inference Protocol';

export const INDEX_DOCS: OperationDocs = {
  id: 'repositoryIndex',
  tag,
  summary: 'What stands in the model repository',
  body: {
    description: 'Left out: everything.',
    required: false,
    content: json(
      Type.Object({ ready: Type.Optional(Type.Boolean({ description: 'Only what can answer.' })) }),
      { ready: { summary: 'Only what can answer', value: { ready: true } } },
    ),
  },
  answers: {
    200: {
      description: 'A line for each version, with the reason where it can not answer.',
      content: json(
        Type.Array(
          Type.Object({
            name: Type.String(),
            version: Type.String(),
            state: Type.Enum(['READY', 'LOADING', 'UNLOADING', 'UNAVAILABLE']),
            reason: Type.String(),
          }),
          { $id: 'RepositoryIndex' },
        ),
        {
          demo: {
            summary: 'One version',
            value: [{ name: 'digits', version: '1', state: 'READY', reason: '' }],
          },
        },
      ),
    },
  },
  errors: ['invalid_request'],
};

/** What a load may carry. */
export const LoadRequest = Type.Object(
  {
    parameters: Type.Optional(
      Type.Object({
        config: Type.Optional(
          Type.String({ description: "A ModelConfig in JSON, in the place of the repository's." }),
        ),
      }),
    ),
  },
  { $id: 'LoadRequest' },
);

export const UnloadRequest = Type.Object(
  {
    parameters: Type.Optional(
      Type.Object({
        unload_dependents: Type.Optional(
          Type.Boolean({
            description: 'The models too that were loaded only because this ensemble needs them.',
          }),
        ),
      }),
    ),
  },
  { $id: 'UnloadRequest' },
);

export const LOAD_DOCS: OperationDocs = {
  id: 'loadModel',
  tag,
  summary: 'Load a model',
  description: 'With `models.control: explicit`.',
  body: {
    description: "Left out: as the repository's files say.",
    required: false,
    content: json(LoadRequest, { plain: { summary: 'As its files say', value: {} } }),
  },
  answers: { 200: { description: 'It is loaded.' } },
  errors: [
    'invalid_request',
    'load_not_allowed',
    'load_failed',
    'unsupported',
    'control_is_local',
    'cross_site',
  ],
};

export const UNLOAD_DOCS: OperationDocs = {
  id: 'unloadModel',
  tag,
  summary: 'Unload a model once its requests are answered',
  description: 'With `models.control: explicit`.',
  body: {
    description: 'Left out: the model alone.',
    required: false,
    content: json(UnloadRequest, { plain: { summary: 'The model alone', value: {} } }),
  },
  answers: { 200: { description: 'It takes no more requests.' } },
  errors: ['invalid_request', 'load_not_allowed', 'load_failed', 'control_is_local', 'cross_site'],
};

const LogSettings = Type.Object(
  {
    log_file: Type.String(),
    log_info: Type.Boolean(),
    log_warning: Type.Boolean(),
    log_error: Type.Boolean(),
    log_verbose_level: Type.Integer({ minimum: 0, description: '0: none; 1: debugging; 2: everything.' }),
    log_format: Type.String(),
  },
  { $id: 'LogSettings' },
);

const LogChanges = Type.Object({
  log_info: Type.Optional(Type.Boolean()),
  log_warning: Type.Optional(Type.Boolean()),
  log_error: Type.Optional(Type.Boolean()),
  log_verbose_level: Type.Optional(Type.Integer({ minimum: 0 })),
});

export const LOG_SETTINGS_DOCS: OperationDocs = {
  id: 'logSettings',
  tag,
  summary: 'What is logged',
  answers: { 200: { description: "The logger's level, as settings.", content: json(LogSettings) } },
};

export const CHANGE_LOG_SETTINGS_DOCS: OperationDocs = {
  id: 'changeLogSettings',
  tag,
  summary: 'Change what is logged',
  body: {
    description: 'The settings that are to change.',
    required: false,
    content: json(LogChanges, { info: { summary: 'From info on', value: { log_info: true } } }),
  },
  answers: { 200: { description: 'The settings from now on.', content: json(LogSettings) } },
  errors: ['invalid_request', 'unsupported', 'control_is_local', 'cross_site'],
};

const TraceSettings = Type.Object(
  {
    trace_level: Type.Array(Type.String()),
    trace_rate: Type.String(),
    trace_count: Type.String(),
    log_frequency: Type.String(),
    trace_file: Type.String(),
    trace_mode: Type.String(),
  },
  { $id: 'TraceSettings' },
);

export const TRACE_SETTINGS_DOCS: OperationDocs = {
  id: 'traceSettings',
  tag,
  summary: "Triton's trace settings: off",
  description: 'Traces in the form of OpenTelemetry are what `telemetry` in signalbox.yaml is for.',
  answers: { 200: { description: 'They stand still.', content: json(TraceSettings) } },
};

export const CHANGE_TRACE_SETTINGS_DOCS: OperationDocs = {
  id: 'changeTraceSettings',
  tag,
  summary: 'Take trace settings that change nothing, refuse the others',
  body: {
    description: 'A setting with its own value, or null.',
    required: false,
    content: json(Type.Record(Type.String(), Type.Unknown()), {
      off: { summary: 'As it is', value: { trace_level: ['OFF'] } },
    }),
  },
  answers: { 200: { description: 'They stand still.', content: json(TraceSettings) } },
  errors: ['invalid_request', 'unsupported', 'control_is_local', 'cross_site'],
};

export const MODEL_TRACE_SETTINGS_DOCS: OperationDocs = {
  ...TRACE_SETTINGS_DOCS,
  id: 'modelTraceSettings',
  errors: ['unknown_model'],
};

export const CHANGE_MODEL_TRACE_SETTINGS_DOCS: OperationDocs = {
  ...CHANGE_TRACE_SETTINGS_DOCS,
  id: 'changeModelTraceSettings',
  errors: ['unknown_model', ...(CHANGE_TRACE_SETTINGS_DOCS.errors ?? [])],
};
