import { needsBody } from './definition.ts';
import type { Experiment, Holdout } from './definition.ts';
import { SideBySide } from './side-by-side.ts';
import type { Conflict } from './side-by-side.ts';

/** The experiments of one model; no call meets two of them. */
export interface ModelExperiments {
  /** At least one, in the order of their keys; the first one's control answers whom none of them concerns. */
  readonly candidates: readonly [Experiment, ...Experiment[]];
  /** Whether a call's body has to be read before it can be routed. */
  readonly needsBody: boolean;
}

/** The experiments that are served together. */
export interface ExperimentSet {
  /** The experiments that may answer an unversioned call of a model. */
  readonly byModel: ReadonlyMap<string, ModelExperiments>;
  /** Every experiment but the drafts. */
  readonly byKey: ReadonlyMap<string, Experiment>;
  /** Units that every experiment leaves alone. */
  readonly holdout: Holdout | undefined;
}

export const NO_EXPERIMENTS: ExperimentSet = { byModel: new Map(), byKey: new Map(), holdout: undefined };

/**
 * Puts experiments side by side.
 *
 * Per model those that are running or paused answer, where no call can meet two of them; without one, the one that is
 * completed. What would have to be chosen in silence is a conflict instead.
 *
 * @param holdout units that every experiment leaves alone
 */
export function assembleExperiments(
  experiments: readonly Experiment[],
  holdout?: Holdout,
): {
  readonly set: ExperimentSet;
  readonly conflicts: readonly Conflict[];
} {
  const together = new SideBySide();
  const conflicts: Conflict[] = [];
  const served = new Set<Experiment>();
  const placed = new Map<string, [Experiment, ...Experiment[]]>();
  // What is live first: beside it what is completed answers nobody.
  for (const experiment of experiments.toSorted((a, b) => Number(isCompleted(a)) - Number(isCompleted(b)))) {
    const conflict = together.put(experiment);
    if (conflict !== undefined) conflicts.push(conflict);
    if (experiment.status === 'draft' || conflict?.path[0] === 'key') continue;
    served.add(experiment);
    if (conflict !== undefined) continue;
    const others = placed.get(experiment.model);
    if (others === undefined) placed.set(experiment.model, [experiment]);
    else if (!isCompleted(experiment)) others.push(experiment);
  }
  const byModel = new Map(
    [...placed].map(([model, candidates]) => [
      model,
      {
        candidates: candidates.sort((a, b) => (a.key < b.key ? -1 : 1)),
        needsBody: candidates.some(needsBody),
      },
    ]),
  );
  const inOrder = experiments.filter((experiment) => served.has(experiment));
  return {
    set: { byModel, byKey: new Map(inOrder.map((experiment) => [experiment.key, experiment])), holdout },
    conflicts,
  };
}

function isCompleted({ status }: Experiment): boolean {
  return status === 'completed';
}
