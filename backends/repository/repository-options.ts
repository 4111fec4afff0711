import type { Handover } from './handover.ts';
import type { NoticeEvents } from './repository-notices.ts';
import type { ServedEvents, ServedModelsOptions } from './served-models.ts';

export interface RepositoryEvents extends ServedEvents, NoticeEvents {
  /** A process that would take over now would have to load something else than before. */
  onHandover?(handover: Handover): void;
  /** A version that was scaled before the server died could not be given as many instances again. */
  onUnscaled?(model: string, version: number, instances: number, reason: string): void;
}

/** Who decides what is loaded, in Triton's words. */
export type ModelControl = 'none' | 'poll' | 'explicit';

export interface RepositoryOptions extends ServedModelsOptions {
  /** The repositories' folders; a model may stand in one of them only. */
  readonly roots: readonly string[];
  /**
   * `none`: what is there at the start is loaded. `poll`: that, and what `refresh` finds changed.
   * `explicit`: what `load` names, and what `load` asks for.
   */
  readonly control: ModelControl;
  /** With `explicit` control, the models that are loaded at the start; `*` stands for all. */
  readonly load: readonly string[];
  /** What requests made of the models before, in a process that died; it is loaded in the place of `load`. Left out: there was none. */
  readonly handover?: Handover | undefined;
  readonly events: RepositoryEvents;
}

/** What comes with a load. */
export interface LoadRequest {
  /** A ModelConfig as JSON, which holds in place of the model's own file until the next load or unload. */
  readonly config?: string | undefined;
  /** Whether that configuration may have a model as a step of an ensemble; left out: any. What the repository's own files say is not asked. */
  readonly mayUse?: (model: string) => boolean;
}
