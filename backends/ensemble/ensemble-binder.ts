import type { ServedModel } from '../repository/served-model.ts';
import type { Servable } from '../servable.ts';
import { bindSteps, ensembleOf, reasonOf } from './bind-ensemble.ts';
import type { Binding, WishedEnsemble } from './bind-ensemble.ts';
import { circleFrom, circleMessage, findMember } from './find-members.ts';
import type { KnownModels } from './find-members.ts';
import type { EnsembleVersion } from './ensemble-version.ts';

export interface EnsembleBinderOptions {
  /** Where the steps' models are found. */
  readonly members: KnownModels;
  /** What takes the traffic of an ensemble: itself, or with a cache before it. */
  readonly serve: (version: EnsembleVersion) => Servable;
  /** Answers what is in flight of a version that was taken out, and frees it. */
  readonly retire: (version: Servable) => void;
  readonly onVersion: (model: string, version: number, state: 'ready' | 'failed', reason?: string) => void;
}

interface Entry {
  readonly model: ServedModel;
  readonly wish: string;
  readonly wished: WishedEnsemble;
  /** What serves, and which wish it serves: that may be an older one, where the newest can't be. */
  readonly serving: { readonly of: WishedEnsemble; readonly version: EnsembleVersion } | undefined;
  /** What was last told. */
  readonly told: string | undefined;
}

/**
 * Keeps every ensemble bound to the versions that its steps ask for. Whenever a version of any model comes, goes or is
 * replaced it goes over all ensembles: one whose members are others gets a new version, which takes the traffic while the old one
 * answers what it has; one that lacks a member, or whose members don't fit any more, is not ready and says why. All of that is
 * done before anything else happens, so that a member is never freed under an ensemble that takes requests.
 */
export class EnsembleBinder {
  readonly #options: EnsembleBinderOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: EnsembleBinderOptions) {
    this.#options = options;
  }

  /** Serves a version of an ensemble, as soon as its members are ready and for as long as they are. */
  wish(model: ServedModel, wish: string, wished: WishedEnsemble): void {
    const key = keyOf(wished.model, wished.version);
    const before = this.#entries.get(key);
    model.begin(wished.version, wish);
    this.#entries.set(key, { model, wish, wished, serving: before?.serving, told: undefined });
    this.bind();
  }

  /** A version was taken out. */
  forget(model: string, version: number): void {
    this.#entries.delete(keyOf(model, version));
  }

  /** Brings every ensemble up to what is loaded; an ensemble that changes may be another's member. */
  bind(): void {
    for (let round = 0; round <= this.#entries.size; round++) {
      const changed = [...this.#entries].filter(([key, entry]) => this.#bindOne(key, entry));
      if (changed.length === 0) return;
    }
  }

  /** @returns whether another version serves now, or none */
  #bindOne(key: string, entry: Entry): boolean {
    const { serving, wished } = entry;
    const binding = this.#bindingOf(wished);
    switch (binding.kind) {
      case 'bound':
        return this.#serve(key, entry, wished, binding, '');
      case 'loading':
        return false;
      case 'refused': {
        const reason = reasonOf(binding.problems);
        // Of an edit that can't be served, what it replaces goes on, while its own members are there.
        const older =
          serving === undefined || serving.of === wished ? undefined : this.#bindingOf(serving.of);
        if (serving !== undefined && older?.kind === 'bound')
          return this.#serve(key, entry, serving.of, older, reason);
        return this.#withdraw(key, entry, reason);
      }
    }
  }

  #bindingOf(wished: WishedEnsemble): Binding {
    const { members } = this.#options;
    const circle = circleFrom(members, wished);
    if (circle === undefined) return bindSteps(wished, (step) => findMember(members, step));
    return { kind: 'refused', problems: [wished.ensemble.problemAt(['step'], circleMessage(circle))] };
  }

  #serve(
    key: string,
    entry: Entry,
    of: WishedEnsemble,
    { steps }: Extract<Binding, { kind: 'bound' }>,
    reason: string,
  ): boolean {
    const { model, wish, serving } = entry;
    const { version: number } = of;
    const isSame =
      serving?.of === of && steps.every(({ member }, index) => serving.version.members[index] === member);
    if (isSame && entry.told === reason) return false;
    const version = isSame ? serving.version : ensembleOf(of, steps);
    const replaced = isSame ? undefined : model.put(number, wish, this.#options.serve(version));
    if (reason !== '') model.fail(number, wish, reason);
    this.#entries.set(key, { ...entry, serving: { of, version }, told: reason });
    if (replaced !== undefined) this.#options.retire(replaced);
    if (reason === '') this.#options.onVersion(model.name, number, 'ready');
    else this.#options.onVersion(model.name, number, 'failed', reason);
    return !isSame;
  }

  #withdraw(key: string, entry: Entry, reason: string): boolean {
    const { model, wish, wished } = entry;
    if (entry.told === reason && entry.serving === undefined) return false;
    // What served under that number before it was an ensemble goes on.
    const withdrawn = entry.serving === undefined ? undefined : model.withdraw(wished.version, wish, reason);
    if (entry.serving === undefined) model.fail(wished.version, wish, reason);
    this.#entries.set(key, { ...entry, serving: undefined, told: reason });
    if (withdrawn !== undefined) this.#options.retire(withdrawn);
    this.#options.onVersion(model.name, wished.version, 'failed', reason);
    return withdrawn !== undefined;
  }
}

function keyOf(model: string, version: number): string {
  return `${model}/${version}`;
}
