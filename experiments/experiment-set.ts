import type { Experiment } from './definition.ts';

/** The experiments that are served together; at most one of them answers for a model. */
export interface ExperimentSet {
  /** The experiment that answers an unversioned call of a model. */
  readonly byModel: ReadonlyMap<string, Experiment>;
  /** Every experiment but the drafts. */
  readonly byKey: ReadonlyMap<string, Experiment>;
}

export const NO_EXPERIMENTS: ExperimentSet = { byModel: new Map(), byKey: new Map() };

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
 * Per model one that is running or paused answers; without one, the one that is completed. What would have to be
 * chosen in silence is a conflict instead.
 */
export function assembleExperiments(experiments: readonly Experiment[]): {
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
  const byModel = new Map<string, Experiment>();
  const place = (experiment: Experiment): void => {
    const { model } = experiment;
    const first = byModel.get(model);
    if (first === undefined) {
      byModel.set(model, experiment);
      return;
    }
    const message =
      `is ${experiment.status} on model "${model}", where "${first.key}" is ${first.status}; ` +
      'one experiment answers for a model, so make one of them a draft';
    conflicts.push({ first, second: experiment, path: ['status'], message });
  };
  live.forEach(place);
  const liveModels = new Set(byModel.keys());
  served
    .filter((experiment) => experiment.status === 'completed' && !liveModels.has(experiment.model))
    .forEach(place);

  return {
    set: { byModel, byKey: new Map(served.map((experiment) => [experiment.key, experiment])) },
    conflicts,
  };
}
