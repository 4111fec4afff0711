import { createHash } from 'node:crypto';
import type { ModelRepository } from '../../../backends/repository/repository.ts';
import type { IndexEntry } from '../../../backends/repository/served-model.ts';
import { RepositoryError } from '../../../backends/repository/repository-error.ts';
import type { RepositoryFault } from '../../../backends/repository/repository-error.ts';
import { GatewayError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import type { Gateway } from '../../gateway.ts';
import type { Actor } from '../../../experiments/standing/standing.ts';
import type { Principal } from '../../trust/principal.ts';
import { ownOf } from '../../trust/rights.ts';
import { flagAt, invalid, nameOf, optionalObjectAt } from '../../json-values.ts';
import type { JsonObject } from '../../json-values.ts';

/** What a load puts in the place of what the repository holds. */
export interface LoadOverride {
  /** A ModelConfig in JSON. */
  readonly config: string | undefined;
  /** Contents by path in the model's folder, as `1/model.onnx`. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Somebody who changes models. */
export interface ModelCaller {
  readonly principal: Principal;
  /** As the audit log names them. */
  readonly actor: Actor;
}

/**
 * @param caller who asks; a configuration that comes along may use their models only
 * @throws GatewayError
 */
export async function loadModel(
  { repository, modelChanges }: Pick<Gateway, 'repository' | 'modelChanges'>,
  { principal: { models }, actor }: ModelCaller,
  model: string,
  { config, files }: LoadOverride,
): Promise<void> {
  if (files.size > 0) {
    throw new GatewayError(
      'unsupported',
      'files in a load are not supported; put them into the repository and load the model then',
    );
  }
  const mayUse = (member: string): boolean => models === undefined || models.has(member);
  const configDigest = config === undefined ? undefined : createHash('sha256').update(config).digest('hex');
  const asked = { action: 'model.load', actor, ...(configDigest !== undefined && { configDigest }) } as const;
  await modelChanges.make(model, asked, () => repository.load(model, { config, mayUse })).catch(refuse);
}

/** @throws GatewayError */
export async function unloadModel(
  { repository, modelChanges }: Pick<Gateway, 'repository' | 'modelChanges'>,
  { actor }: Pick<ModelCaller, 'actor'>,
  model: string,
  { withDependents }: UnloadParameters,
): Promise<void> {
  await modelChanges
    .make(model, { action: 'model.unload', actor }, () => repository.unload(model, withDependents))
    .catch(refuse);
}

const CODES: Readonly<Record<RepositoryFault, ErrorCode>> = {
  not_allowed: 'load_not_allowed',
  failed: 'load_failed',
  in_use: 'version_in_use',
  forbidden: 'forbidden',
  invalid: 'invalid_request',
};

function refuse(error: unknown): never {
  if (!(error instanceof RepositoryError)) throw error;
  throw new GatewayError(CODES[error.fault], error.message, { cause: error });
}

/** A line of the repository's index, as the extension has it. */
export interface IndexLine {
  readonly name: string;
  readonly version: string;
  readonly state: string;
  readonly reason: string;
}

/**
 * The lines of the models that the principal is for.
 *
 * @param request `{"ready": true}`: only what can answer
 */
export function repositoryIndex(
  repository: ModelRepository,
  principal: Principal,
  request: JsonObject,
): readonly IndexLine[] {
  const onlyReady = flagAt(request, 'ready', 'the request');
  return ownOf(principal, repository.index(), ({ name }) => name)
    .filter(({ state }) => !onlyReady || state === 'READY')
    .map(({ name, version, state, reason }) => ({ name, version: String(version), state, reason }));
}

/** The versions of a model that take no more requests, and are not unloaded yet. */
export function unloadingOf(repository: ModelRepository, model: string): readonly IndexEntry[] {
  return repository.index().filter(({ name, state }) => name === model && state === 'UNLOADING');
}

/** Refuses to name a repository: models go by their names alone. */
export function requireOneRepository(repository: string | undefined): void {
  if (repository === undefined || repository === '') return;
  throw new GatewayError(
    'unsupported',
    `'repository_name' specification is not supported: '${repository.slice(0, 64)}'; leave it out`,
  );
}

const FILE = 'file:';

/**
 * Reads the parameters of a load.
 *
 * @param bytesOf a file's content, as the protocol carries it; undefined where it is none
 * @throws GatewayError
 */
export function readLoadOverride(
  parameters: JsonObject,
  bytesOf: (value: unknown) => Uint8Array | undefined,
): LoadOverride {
  const files = new Map<string, Uint8Array>();
  let config: string | undefined;
  for (const [name, value] of Object.entries(parameters)) {
    const where = `parameters['${name.slice(0, 64)}']`;
    if (name === 'config') {
      if (typeof value !== 'string') throw invalid(`${where} is ${nameOf(value)}; expected JSON in a string`);
      config = value;
    } else if (name.startsWith(FILE)) {
      const bytes = bytesOf(value);
      if (bytes === undefined) throw invalid(`${where} is ${nameOf(value)}; expected a file's content`);
      files.set(name.slice(FILE.length), bytes);
    } else throw invalid(`${where} is unknown; a load takes config and file:<version>/<file>`);
  }
  if (files.size > 0 && config === undefined)
    throw invalid('a load with files needs the parameter config, the configuration that goes with them');
  return { config, files };
}

export interface UnloadParameters {
  /** Whether the models go too that were loaded only because this ensemble needs them. */
  readonly withDependents: boolean;
}

/**
 * Reads the parameters of an unload.
 *
 * @throws GatewayError
 */
export function readUnload(parameters: JsonObject): UnloadParameters {
  for (const name of Object.keys(parameters)) {
    if (name !== 'unload_dependents')
      throw invalid(`parameters['${name.slice(0, 64)}'] is unknown; an unload takes unload_dependents`);
  }
  return { withDependents: flagAt(parameters, 'unload_dependents', 'parameters') };
}

/** The parameters of a load or an unload over HTTP. */
export function controlParameters(request: JsonObject): JsonObject {
  return optionalObjectAt(request, 'parameters', 'the request');
}

/** Base64, as JSON carries files. */
export function bytesOfBase64(value: unknown): Uint8Array | undefined {
  return typeof value === 'string' ? Buffer.from(value, 'base64') : undefined;
}
