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
  | {
      readonly kind: 'ensemble';
      readonly ensemble: EnsembleConfig;
      /** Of versions whose folder has steps of its own, which take the place of the model's. */
      readonly ofVersions: ReadonlyMap<number, VersionSteps>;
    };

/** A version's own `ensemble_scheduling`, or what is wrong with its file. */
export type VersionSteps =
  | {
      readonly kind: 'read';
      readonly ensemble: EnsembleConfig;
      /** As it was written, in the shape of a ModelConfig. */
      readonly written: object;
    }
  | { readonly kind: 'refused'; readonly problems: readonly Problem[] };

/** Every set of steps that a model's versions may run; none where it is no ensemble. */
export function allStepsOf(backend: ModelBackend | undefined): readonly EnsembleConfig[] {
  if (backend?.kind !== 'ensemble') return [];
  const own = [...backend.ofVersions.values()].flatMap((steps) =>
    steps.kind === 'read' ? [steps.ensemble] : [],
  );
  return [backend.ensemble, ...own];
}
