import type { Problem } from '../../documents/problem.ts';
import type { Path } from '../../documents/source-document.ts';

/** A step of an ensemble: a model, and how its tensors are called in the ensemble. */
export interface EnsembleStep {
  readonly model: string;
  /** Undefined: the highest that is ready. */
  readonly version: number | undefined;
  /** The model's inputs, each with the ensemble's tensor that it takes. */
  readonly inputs: ReadonlyMap<string, string>;
  /** The model's outputs that are used, each with the ensemble's tensor that it becomes. */
  readonly outputs: ReadonlyMap<string, string>;
}

/** `ensemble_scheduling`, checked for itself: every tensor is made once, and used, and no step waits for itself. */
export interface EnsembleConfig {
  readonly steps: readonly EnsembleStep[];
  /** Says what is wrong at a path of `ensemble_scheduling`, with the line it stands on. */
  problemAt(path: Path, message: string): Problem;
}

/** What runs a model. */
export type ModelBackend =
  | { readonly kind: 'onnxruntime' }
  /** Decodes images, as `signalbox.image` says. */
  | { readonly kind: 'image' }
  | { readonly kind: 'ensemble'; readonly ensemble: EnsembleConfig };
