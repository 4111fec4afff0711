import { Type } from 'typebox';
import { json } from '../openapi/common-docs.ts';
import { loadDocs, unloadDocs } from '../openapi/load-docs.ts';
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

export const LOAD_DOCS: OperationDocs = loadDocs(tag, { description: 'It is loaded.' });

export const UNLOAD_DOCS: OperationDocs = unloadDocs(tag, { description: 'It takes no more requests.' });

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
