import type { Experiment } from './definition.ts';
import { whyNotApart } from './separation.ts';
import { isUpstream } from './variant.ts';

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
 * Experiments that can be served together, to which one is added at a time: each is held against those of its own model only, so that a
 * thousand files cost a thousand such looks and not a thousand assemblies.
 */
export class SideBySide {
  readonly #byKey = new Map<string, Experiment>();
  readonly #byModel = new Map<string, Set<Experiment>>();

  /** @param experiments that go together already */
  constructor(experiments: Iterable<Experiment> = []) {
    for (const experiment of experiments) this.#add(experiment);
  }

  /**
   * Adds an experiment; where it can't be beside those that are here, nothing changes.
   *
   * @param instead the one whose place it takes
   * @returns why it can't
   */
  put(experiment: Experiment, instead?: Experiment): Conflict | undefined {
    if (instead !== undefined) this.#remove(instead);
    const conflict = this.#conflict(experiment);
    if (conflict === undefined) {
      this.#add(experiment);
      const left = instead === undefined ? undefined : this.#undecided(instead.model);
      if (left === undefined) return undefined;
      this.#remove(experiment);
      if (instead !== undefined) this.#add(instead);
      return left;
    }
    if (instead !== undefined) this.#add(instead);
    return conflict;
  }

  #conflict(experiment: Experiment): Conflict | undefined {
    const namesake = this.#byKey.get(experiment.key);
    if (namesake !== undefined)
      return {
        first: namesake,
        second: experiment,
        path: ['key'],
        message: `"${experiment.key}" is taken`,
      };
    if (experiment.status === 'draft') return undefined;
    const others = [...(this.#byModel.get(experiment.model) ?? [])];
    const live = others.filter(isLive);
    // Of what is completed the winner answers where nothing is live, and there can be one winner.
    if (!isLive(experiment) && live.length > 0) return undefined;
    return firstConflict(isLive(experiment) ? live : others, experiment);
  }

  /** Of a model whose live experiment went: those that were completed, and would all answer. */
  #undecided(model: string): Conflict | undefined {
    const [one, other] = this.#byModel.get(model) ?? [];
    if (one === undefined || other === undefined || isLive(one) || isLive(other)) return undefined;
    return [...(this.#byModel.get(model) ?? [])].some(isLive) ? undefined : firstConflict([one], other);
  }

  #add(experiment: Experiment): void {
    const { key, model, status } = experiment;
    this.#byKey.set(key, experiment);
    if (status === 'draft') return;
    const known = this.#byModel.get(model);
    if (known === undefined) this.#byModel.set(model, new Set([experiment]));
    else known.add(experiment);
  }

  #remove(experiment: Experiment): void {
    if (this.#byKey.get(experiment.key) === experiment) this.#byKey.delete(experiment.key);
    this.#byModel.get(experiment.model)?.delete(experiment);
  }
}

function isLive({ status }: Experiment): boolean {
  return status !== 'draft' && status !== 'completed';
}

function firstConflict(others: readonly Experiment[], second: Experiment): Conflict | undefined {
  for (const first of others) {
    const conflict = conflictOf(first, second);
    if (conflict !== undefined) return { first, second, ...conflict };
  }
  return undefined;
}

/** Why two experiments can't answer for one model. */
function conflictOf(first: Experiment, second: Experiment): Pick<Conflict, 'path' | 'message'> | undefined {
  if (second.status === 'completed') {
    return {
      path: ['status'],
      message: `${standing(first, second)}, and nothing says whose winner answers; make one of them a draft`,
    };
  }
  const reason = whyNotApart(first, second);
  if (reason !== undefined) return { path: ['status'], message: `${standing(first, second)}, ${reason}` };
  const [place, other] = [placeOf(second), placeOf(first)];
  if (place !== other) {
    return {
      path: ['control'],
      message:
        `is ${place}, and that of "${first.key}" is ${other}; ` +
        `whom no experiment on "${second.model}" concerns gets the control, so they need the same`,
    };
  }
  return undefined;
}

function standing(first: Experiment, second: Experiment): string {
  return `is ${second.status} on model "${second.model}", where "${first.key}" is ${first.status}`;
}

/** Where a control is answered. */
function placeOf({ control }: Experiment): string {
  if (!isUpstream(control)) return `version ${control.version}`;
  const { url, protocol, model, version, path } = control.upstream;
  const where = protocol === 'http' ? `${url}${path}` : url;
  const what =
    protocol === 'http' ? '' : ` model "${model}"${version === undefined ? '' : ` version ${version}`}`;
  return `${where}${what} (${protocol})`;
}
