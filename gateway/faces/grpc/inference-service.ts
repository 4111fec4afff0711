import type { UntypedServiceImplementation, handleUnaryCall } from '@grpc/grpc-js';
import { GatewayError } from '../../errors.ts';
import type { Gateway } from '../../gateway.ts';
import { RELEASE } from '../../release.ts';
import { actorOf } from '../../standing/control.ts';
import type { Principal } from '../../trust/principal.ts';
import { requireAllModels } from '../../trust/rights.ts';
import type { ModelPath } from '../http-call.ts';
import type { JsonObject } from '../../json-values.ts';
import { changeLogFor } from '../extensions/log-settings.ts';
import { describedModel, requireKnown } from '../extensions/lookup.ts';
import { modelConfig } from '../extensions/model-config.ts';
import { EXTENSIONS, modelMetadata } from '../extensions/metadata.ts';
import {
  loadModel,
  readLoadOverride,
  readUnload,
  repositoryIndex,
  requireOneRepository,
  unloadModel,
} from '../extensions/repository-control.ts';
import { allStatistics, modelStatistics } from '../extensions/statistics.ts';
import { TRACE_SETTINGS, changeTraceSettings } from '../extensions/trace-settings.ts';
import type { ModelCaller } from '../extensions/repository-control.ts';
import { addressOf } from './grpc-call.ts';
import type { CallAdmission } from './call-admission.ts';
import { modelInfer } from './inference.ts';
import { modelStreamInfer } from './inference-stream.ts';
import type { OpenStreams } from './open-streams.ts';
import { toGatewayError, toStatus } from './status.ts';

interface NamedModel {
  readonly name: string;
  /** Empty: none is named. */
  readonly version: string;
}

/** A oneof as it is read: the name of its choice, and the choice under that name. */
type Choice = Readonly<Record<string, unknown>> & { readonly parameter_choice?: string };

interface ControlRequest {
  readonly repository_name: string;
  readonly model_name: string;
  readonly parameters: Readonly<Record<string, Choice>>;
}

interface IndexRequest {
  readonly repository_name: string;
  readonly ready: boolean;
}

interface LogRequest {
  readonly settings: Readonly<Record<string, Choice>>;
}

interface TraceRequest {
  readonly model_name: string;
  readonly settings: Readonly<Record<string, { readonly value: readonly string[] }>>;
}

/** `inference.GRPCInferenceService`: the Open Inference Protocol over gRPC, over the same pipeline as HTTP. */
export function inferenceService(
  gateway: Gateway,
  calls: CallAdmission,
  open: OpenStreams,
): UntypedServiceImplementation {
  const { config, repository, log } = gateway;
  const { admission } = gateway.door;

  const unary =
    <Request>(
      handle: (request: Request, principal: Principal, caller: ModelCaller) => object | Promise<object>,
    ) =>
    (...[call, answer]: Parameters<handleUnaryCall<Request, object>>): void => {
      // In a promise, so that what is thrown at once is answered too.
      Promise.resolve(call)
        .then(({ request }) => {
          const { principal } = calls.of(call);
          admission.requireModel(principal, modelIn(request), 'grpc');
          const actor = actorOf(principal, addressOf(call, config));
          return handle(request, principal, { principal, actor });
        })
        .then(
          (message) => {
            answer(null, message);
          },
          (error: unknown) => {
            answer(toStatus(toGatewayError(error, log)));
          },
        );
    };

  return {
    ServerLive: unary(() => ({ live: true })),
    ServerReady: unary(() => ({ ready: gateway.readiness.isReady })),
    ModelReady: unary((request: NamedModel) => ({ ready: isReady(gateway, pathOf(request)) })),
    ServerMetadata: unary(() => ({
      name: config.server.name,
      version: RELEASE,
      extensions: EXTENSIONS,
    })),
    ModelMetadata: unary((request: NamedModel) => modelMetadata(describedModel(gateway, pathOf(request)))),
    ModelConfig: unary((request: NamedModel) => ({
      config: modelConfig(gateway, pathOf(request)),
    })),
    ModelStatistics: unary((request: NamedModel, principal) =>
      request.name === '' ? allStatistics(gateway, principal) : modelStatistics(gateway, pathOf(request)),
    ),
    RepositoryIndex: unary(({ repository_name, ready }: IndexRequest, principal) => {
      requireOneRepository(repository_name);
      return { models: repositoryIndex(repository, principal, { ready }) };
    }),
    RepositoryModelLoad: unary(async (request: ControlRequest, _, caller) => {
      requireOneRepository(request.repository_name);
      const override = readLoadOverride(valuesOf(request.parameters), bytesIn);
      await loadModel(gateway, caller, request.model_name, override);
      return {};
    }),
    RepositoryModelUnload: unary(async (request: ControlRequest, _, caller) => {
      requireOneRepository(request.repository_name);
      await unloadModel(gateway, caller, request.model_name, readUnload(valuesOf(request.parameters)));
      return {};
    }),
    TraceSetting: unary(({ model_name, settings }: TraceRequest, principal) => {
      if (model_name !== '') requireKnown(gateway, model_name);
      const changes = Object.fromEntries(
        Object.entries(settings).map(([name, { value }]) => [name, value.length === 0 ? null : value]),
      );
      if (Object.keys(changes).length > 0) {
        admission.require(principal, 'admin:write');
        if (model_name === '') requireAllModels(principal, 'the settings of traces');
      }
      changeTraceSettings(changes);
      const entries = Object.entries(TRACE_SETTINGS);
      return {
        settings: Object.fromEntries(entries.map(([name, value]) => [name, { value: [value].flat() }])),
      };
    }),
    LogSettings: unary(async ({ settings }: LogRequest, principal, { actor }) => {
      const changes = valuesOf(settings);
      if (Object.keys(changes).length > 0) {
        admission.require(principal, 'admin:write');
        requireAllModels(principal, "the log's settings");
      }
      const entries = Object.entries<string | number | boolean>({
        ...(await changeLogFor(gateway, actor, changes)),
      });
      return { settings: Object.fromEntries(entries.map(([name, value]) => [name, choiceOf(value)])) };
    }),
    ModelInfer: modelInfer(gateway, calls),
    ModelStreamInfer: modelStreamInfer(gateway, open),
  };
}

/** The model that a request names, whatever its message calls it. */
function modelIn(request: unknown): string | undefined {
  const { name, model_name } = request as { readonly name?: string; readonly model_name?: string };
  const model = name ?? model_name;
  return model === '' ? undefined : model;
}

function pathOf({ name, version }: NamedModel): ModelPath {
  return version === '' ? { model: name } : { model: name, version };
}

/** Triton's clients ask for models that may not be there: that is an answer, and no error. */
function isReady(gateway: Gateway, path: ModelPath): boolean {
  try {
    describedModel(gateway, path);
    return gateway.readiness.isReady;
  } catch (error) {
    if (error instanceof GatewayError && error.status !== 400) return false;
    throw error;
  }
}

/** Parameters by their plain values. */
function valuesOf(choices: Readonly<Record<string, Choice>>): JsonObject {
  return Object.fromEntries(
    Object.entries(choices).map(([name, choice]) => [name, choice[choice.parameter_choice ?? '']]),
  );
}

function bytesIn(value: unknown): Uint8Array | undefined {
  return value instanceof Uint8Array ? value : undefined;
}

function choiceOf(value: string | number | boolean): object {
  if (typeof value === 'boolean') return { bool_param: value };
  return typeof value === 'number' ? { uint32_param: value } : { string_param: value };
}
