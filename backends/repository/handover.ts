import type { Servable } from '../servable.ts';
import type { ServedModel } from './served-model.ts';

/** A model that is loaded because a request asked for it, or because an ensemble needs it. */
export interface RequestedLoad {
  readonly model: string;
  /** The configuration that was given with the request, a ModelConfig as JSON. */
  readonly config: string | undefined;
  /** Nobody asked for the model itself: an ensemble needs it. */
  readonly isAlong: boolean;
}

/** A version whose instances somebody made more or fewer than its configuration says. */
export interface ScaledVersion {
  readonly model: string;
  readonly version: number;
  /** Other files under the same number have what their own configuration says. */
  readonly digest: string;
  readonly instances: number;
}

/** What requests have made of the models: a process that takes over from this one loads it, and nobody has to ask again. */
export interface Handover {
  /** With `explicit` control all that is loaded, else nothing: what is loaded is then what the folders hold. */
  readonly loads: readonly RequestedLoad[];
  readonly scaled: readonly ScaledVersion[];
}

/** What a handover is made of. */
export interface HandoverSources {
  readonly loads: () => readonly RequestedLoad[];
  readonly models: () => readonly ServedModel[];
  readonly onHandover: (handover: Handover) => void;
}

/** Knows what would have to be handed over, and tells of it whenever that changes. */
export class HandoverBook {
  readonly #sources: HandoverSources;
  /** Versions that don't have the instances of their configuration, as somebody asked for others. */
  readonly #scaled = new WeakSet<Servable>();
  /** What was told last, as JSON; undefined: nothing is told yet. */
  #told: string | undefined;

  constructor(sources: HandoverSources) {
    this.#sources = sources;
  }

  /** Notes that the number of a version's instances was changed. */
  noteScaled(version: Servable): void {
    this.#scaled.add(version);
  }

  /** What there is now is where changes begin. */
  begin(): void {
    this.#told = JSON.stringify(this.#handover());
  }

  tell(): void {
    if (this.#told === undefined) return;
    const handover = this.#handover();
    const text = JSON.stringify(handover);
    if (text === this.#told) return;
    this.#told = text;
    this.#sources.onHandover(handover);
  }

  #handover(): Handover {
    const ready = this.#sources.models().flatMap((model) => model.ready);
    const scaled = ready.flatMap((version): ScaledVersion | [] => {
      const { about, instances } = version;
      const { model, version: number, digest } = about;
      if (instances === undefined || !this.#scaled.has(version)) return [];
      return { model, version: number, digest, instances: instances.wanted };
    });
    return { loads: this.#sources.loads(), scaled };
  }
}
