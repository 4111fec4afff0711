import type { Servable } from '../../../backends/servable.ts';
import type { ModelRepository } from '../../../backends/repository/repository.ts';
import type { ServedModel } from '../../../backends/repository/served-model.ts';
import { GatewayError } from '../../errors.ts';
import { findVersion, noVersionReady, unknownModel } from '../../pipeline/route.ts';
import type { ModelPath } from '../http-call.ts';

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
