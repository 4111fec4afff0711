import { membersOf } from '../ensemble/find-members.ts';
import type { KnownModels } from '../ensemble/find-members.ts';
import type { RequestedLoad } from './handover.ts';
import type { ConfigOverride } from './model-settings.ts';

interface Request {
  readonly asked: RequestedLoad;
  /** What serves: the last one that came to something. */
  readonly standing: RequestedLoad | undefined;
}

/** The models that should be loaded: those that somebody asked for, and those that ensembles among them need. */
export class RequestedModels {
  readonly #known: Pick<KnownModels, 'config'>;
  readonly #requests = new Map<string, Request>();

  constructor(known: Pick<KnownModels, 'config'>) {
    this.#known = known;
  }

  get names(): readonly string[] {
    return [...this.#requests.keys()];
  }

  has(model: string): boolean {
    return this.#requests.has(model);
  }

  /** The configuration that holds in place of the model's own file. */
  overrideOf(model: string): ConfigOverride | undefined {
    const text = this.#requests.get(model)?.asked.config;
    return text === undefined ? undefined : overrideOfLoad(model, text);
  }

  /** Notes that somebody asks for a model, or an ensemble needs it that nobody asked for. */
  ask(asked: RequestedLoad): void {
    this.#requests.set(asked.model, { asked, standing: this.#requests.get(asked.model)?.standing });
  }

  /** Notes that what was last asked for serves. */
  stands(model: string): void {
    const asked = this.#requests.get(model)?.asked;
    if (asked !== undefined) this.#requests.set(model, { asked, standing: asked });
  }

  /** What serves, as it was asked for. */
  get standing(): readonly RequestedLoad[] {
    return [...this.#requests.values()].flatMap(({ standing }) => standing ?? []);
  }

  forget(model: string): void {
    this.#requests.delete(model);
  }

  /** Whether a model was loaded only because an ensemble needed it, and none does any more. */
  isLeftOver(model: string): boolean {
    if (this.#requests.get(model)?.asked.isAlong !== true) return false;
    return ![...this.#requests.keys()].some((name) => membersOf(this.#known, name).includes(model));
  }
}

/** The configuration of a load, in the place of the model's own file. */
export function overrideOfLoad(model: string, text: string): ConfigOverride {
  return { source: `configuration of the load of ${model}`, text };
}
