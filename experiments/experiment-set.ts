import { needsBody } from './definition.ts';
import type { Experiment, Holdout } from './definition.ts';
import { whyNotApart } from './separation.ts';

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

/** Two experiments that can't be served together. */
export interface Conflict {
  /** The one that came first. */
  readonly first: Experiment;
  readonly second: Experiment;
  /** The key of the second's file that should change. */
  readonly path: readonly string[];
  readonly message: string;
}

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
  const conflicts: Conflict[] = [];
  const keys = new Map<string, Experiment>();
  for (const experiment of experiments) {
    const first = keys.get(experiment.key);
    if (first === undefined) keys.set(experiment.key, experiment);
    else
      conflicts.push({ first, second: experiment, path: ['key'], message: `"${experiment.key}" is taken` });
  }

  const served = [...keys.values()].filter((experiment) => experiment.status !== 'draft');
  const live = served.filter((experiment) => experiment.status !== 'completed');
  const placed = new Map<string, [Experiment, ...Experiment[]]>();
  const place = (experiment: Experiment): void => {
    const others = placed.get(experiment.model);
    if (others === undefined) {
      placed.set(experiment.model, [experiment]);
      return;
    }
    for (const first of others) {
      const conflict = conflictOf(first, experiment);
      if (conflict === undefined) continue;
      conflicts.push({ first, second: experiment, ...conflict });
      return;
    }
    others.push(experiment);
  };
  live.forEach(place);
  const liveModels = new Set(placed.keys());
  served
    .filter((experiment) => experiment.status === 'completed' && !liveModels.has(experiment.model))
    .forEach(place);

  const byModel = new Map(
    [...placed].map(([model, candidates]) => [
      model,
      {
        candidates: candidates.sort((a, b) => (a.key < b.key ? -1 : 1)),
        needsBody: candidates.some(needsBody),
      },
    ]),
  );
  return {
    set: { byModel, byKey: new Map(served.map((experiment) => [experiment.key, experiment])), holdout },
    conflicts,
  };
}

/** Why two experiments can't answer for one model. */
export function conflictOf(
  first: Experiment,
  second: Experiment,
): Pick<Conflict, 'path' | 'message'> | undefined {
  if (second.status === 'completed') {
    return {
      path: ['status'],
      message: `${standing(first, second)}, and nothing says whose winner answers; make one of them a draft`,
    };
  }
  const reason = whyNotApart(first, second);
  if (reason !== undefined) return { path: ['status'], message: `${standing(first, second)}, ${reason}` };
  if (first.control.version !== second.control.version) {
    return {
      path: ['control'],
      message:
        `is version ${second.control.version}, and that of "${first.key}" is version ${first.control.version}; ` +
        `whom no experiment on "${second.model}" concerns gets the control, so they need the same`,
    };
  }
  return undefined;
}

function standing(first: Experiment, second: Experiment): string {
  return `is ${second.status} on model "${second.model}", where "${first.key}" is ${first.status}`;
}
