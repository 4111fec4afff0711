import type { Servable } from '../../../backends/servable.ts';
import type { ModelRepository } from '../../../backends/repository/repository.ts';
import type { ServedModel } from '../../../backends/repository/served-model.ts';
import { GatewayError } from '../../errors.ts';
import type { Gateway } from '../../gateway.ts';
import { findVersion, noVersionReady, unknownModel } from '../../pipeline/route.ts';
import type { UpstreamVersion } from '../../upstream/upstream-version.ts';
import type { ModelPath } from '../http-call.ts';

/** Where models are looked up: those here, and the servers of those that live elsewhere. */
export type ModelPlaces = Pick<Gateway, 'repository' | 'upstreams'>;

/** @throws GatewayError `unknown_model` */
export function servedModel(repository: ModelRepository, name: string): ServedModel {
  const model = repository.model(name);
  if (model === undefined) throw unknownModel(name);
  return model;
}

/**
 * The version that a path names, or the highest that is ready: what a model says of itself, which no experiment routes.
 *
 * @throws GatewayError
 */
export function readyVersion(repository: ModelRepository, path: ModelPath): Servable {
  const model = servedModel(repository, path.model);
  if (path.version !== undefined) return findVersion(model, path.version);
  const version = model.highestReady;
  if (version === undefined) throw new GatewayError('model_unavailable', noVersionReady(model));
  return version;
}

/** The servers of a model that has no ready version here; none of one that has, or that nobody knows. */
export function serversElsewhere(
  { repository, upstreams }: ModelPlaces,
  name: string,
): readonly UpstreamVersion[] {
  return repository.model(name)?.highestReady === undefined ? upstreams.ofModel(name) : [];
}

/** @throws GatewayError `unknown_model` where the model is neither here nor elsewhere */
export function requireKnown({ repository, upstreams }: ModelPlaces, name: string): void {
  if (upstreams.ofModel(name).length === 0) servedModel(repository, name);
}

/** What a model says of itself. */
export interface DescribedModel {
  readonly name: string;
  /** The numbers of those that are ready here; none of a model that lives elsewhere. */
  readonly versions: readonly number[];
  readonly version: Servable;
}

/**
 * The version that a path names or the highest that is ready; of a model that lives elsewhere, what its variant's server says.
 *
 * @throws GatewayError
 */
export function describedModel({ repository, upstreams }: ModelPlaces, path: ModelPath): DescribedModel {
  const { model: name, version: pinned } = path;
  const elsewhere = pinned === undefined ? upstreams.describing(name) : undefined;
  if (elsewhere !== undefined && repository.model(name)?.highestReady === undefined) {
    return { name, versions: [], version: elsewhere };
  }
  const version = readyVersion(repository, path);
  return { name, versions: servedModel(repository, name).ready.map((ready) => ready.about.version), version };
}
