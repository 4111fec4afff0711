import { GatewayError } from '../errors.ts';
import type { Principal } from './principal.ts';

/**
 * A key for some models sees nothing of the others.
 *
 * @throws GatewayError `forbidden`
 */
export function requireModel(principal: Principal, model: string): void {
  if (isFor(principal, model)) return;
  throw new GatewayError('forbidden', `${principal.id} is not for model '${model.slice(0, 64)}'`);
}

/**
 * What holds for the whole gateway is not for a key of some models.
 *
 * @param what as `the log's settings`
 * @throws GatewayError `forbidden`
 */
export function requireAllModels({ id, models }: Principal, what: string): void {
  if (models === undefined) return;
  throw new GatewayError('forbidden', `${id} is for some models only, and ${what} hold for all of them`);
}

/** Whether the principal may know of what belongs to that model. */
export function isFor({ models }: Principal, model: string): boolean {
  return models === undefined || models.has(model);
}

/** Those of a list that a key for some models may see. */
export function ownOf<Item>(
  principal: Principal,
  items: readonly Item[],
  modelOf: (item: Item) => string,
): readonly Item[] {
  return principal.models === undefined ? items : items.filter((item) => isFor(principal, modelOf(item)));
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
