import { membersOf } from '../ensemble/find-members.ts';
import type { KnownModels } from '../ensemble/find-members.ts';
import type { ConfigOverride } from './model-settings.ts';

interface Request {
  /** The configuration that was given with the request. */
  readonly override: ConfigOverride | undefined;
  /** Nobody asked for the model itself: an ensemble needs it. */
  readonly isAlong: boolean;
}

/** The models that should be loaded: those that somebody asked for, and those that ensembles among them need. */
export class RequestedModels {
  readonly #known: Pick<KnownModels, 'config'>;
  readonly #requests = new Map<string, Request>();

  constructor(known: Pick<KnownModels, 'config'>) {
    this.#known = known;
  }

  has(model: string): boolean {
    return this.#requests.has(model);
  }

  /** The configuration that holds in place of the model's own file. */
  overrideOf(model: string): ConfigOverride | undefined {
    return this.#requests.get(model)?.override;
  }

  /** Notes that somebody asks for a model. */
  ask(model: string, override?: ConfigOverride): void {
    this.#requests.set(model, { override, isAlong: false });
  }

  /** Notes that an ensemble needs a model that nobody asked for. */
  askAlong(model: string): void {
    this.#requests.set(model, { override: undefined, isAlong: true });
  }

  forget(model: string): void {
    this.#requests.delete(model);
  }

  /** Whether a model was loaded only because an ensemble needed it, and none does any more. */
  isLeftOver(model: string): boolean {
    if (this.#requests.get(model)?.isAlong !== true) return false;
    return ![...this.#requests.keys()].some((name) => membersOf(this.#known, name).includes(model));
  }
}
