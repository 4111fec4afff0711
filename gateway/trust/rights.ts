import { GatewayError } from '../errors.ts';
import type { Principal } from './principal.ts';

/**
 * A key for some models sees nothing of the others.
 *
 * @throws GatewayError `forbidden`
 */
export function requireModel({ id, models }: Principal, model: string): void {
  if (models === undefined || models.has(model)) return;
  throw new GatewayError('forbidden', `${id} is not for model '${model.slice(0, 64)}'`);
}

/**
 * Forcing a variant is a right of its own: callers who choose theirs are no longer a fair sample.
 *
 * @throws GatewayError `forbidden`
 */
export function requireOverride({ id, scopes }: Principal): void {
  if (scopes.has('override')) return;
  throw new GatewayError('forbidden', `${id} has not the scope override, which X-Experiment needs`);
}
