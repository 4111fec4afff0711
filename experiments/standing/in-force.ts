import type { Experiment, Holdout, Variant } from '../definition.ts';
import { assembleExperiments } from '../experiment-set.ts';
import type { ExperimentSet } from '../experiment-set.ts';
import type { Split, Standing } from './standing.ts';

/** What an experiment's file wishes. */
export function wishedSplit({ status, variants, winner }: Experiment): Split {
  return {
    status,
    weights: Object.fromEntries(variants.map(({ name, weight }) => [name, weight])),
    winner: winner.name,
    rollout: null,
  };
}

/**
 * The experiment as it is in force: its file's, with the standing's weights and status in place of its own.
 *
 * @param standing one that belongs to the experiment's file
 */
export function applyStanding(experiment: Experiment, { version, split }: Standing): Experiment {
  const placed = new Map<Variant, Variant>();
  for (const variant of experiment.variants) {
    const weight = split.weights[variant.name];
    placed.set(variant, weight === undefined ? variant : Object.freeze({ ...variant, weight }));
  }
  // Decisions compare variants by identity, so that every place has to name the same one.
  const at = (variant: Variant): Variant => placed.get(variant) ?? variant;
  const { match, forced, mirrors, variants } = experiment;
  const winner = variants.find(({ name }) => name === split.winner) ?? experiment.control;
  return Object.freeze({
    ...experiment,
    weightsVersion: version,
    status: split.status,
    variants: Object.freeze(variants.map(at)),
    control: at(experiment.control),
    winner: at(winner),
    match: match.map((rule) => (rule.variant === undefined ? rule : { ...rule, variant: at(rule.variant) })),
    forced: new Map([...forced].map(([unit, variant]) => [unit, at(variant)])),
    mirrors: mirrors.map((mirror) => ({ ...mirror, variant: at(mirror.variant) })),
  });
}

/** An experiment's file beside where it stands. */
export interface Situation {
  /** As its file says. */
  readonly experiment: Experiment;
  readonly standing: Standing;
}

/** Applies standings; the same pair gives the same object, so that what is kept by experiment is kept over refreshes. */
export class StandingOverlay {
  readonly #applied = new WeakMap<
    Experiment,
    { readonly standing: Standing; readonly inForce: Experiment }
  >();

  apply(experiment: Experiment, standing: Standing): Experiment {
    const known = this.#applied.get(experiment);
    if (known?.standing === standing) return known.inForce;
    const inForce = applyStanding(experiment, standing);
    this.#applied.set(experiment, { standing, inForce });
    return inForce;
  }
}

/**
 * Why an experiment can't stand there beside the others; undefined where it can.
 *
 * @param experiment as it would be in force
 * @param others as they are in force
 */
export function whyNotBeside(experiment: Experiment, others: readonly Experiment[]): string | undefined {
  const { conflicts } = assembleExperiments([...others, experiment]);
  const conflict = conflicts.find(({ first, second }) => first === experiment || second === experiment);
  return conflict && `${conflict.second.key} ${conflict.message}`;
}

/**
 * The experiments that are in force together.
 *
 * Files alone never clash, standings may make them: an experiment that was resumed by hand and one that was edited into its
 * place. Then both are taken as their files say.
 *
 * @param standingOf undefined: it is as its file says
 * @returns the set, and the keys of the experiments whose standings could not be applied
 */
export function experimentsInForce(
  files: readonly Experiment[],
  standingOf: (experiment: Experiment) => Standing | undefined,
  overlay: StandingOverlay,
  holdout: Holdout | undefined,
): { readonly set: ExperimentSet; readonly passedOver: readonly string[] } {
  const passedOver = new Set<string>();
  for (;;) {
    const placed = files.map((experiment) => {
      const standing = passedOver.has(experiment.key) ? undefined : standingOf(experiment);
      return standing === undefined ? experiment : overlay.apply(experiment, standing);
    });
    const { set, conflicts } = assembleExperiments(placed, holdout);
    const clashing = conflicts
      .flatMap(({ first, second }) => [first.key, second.key])
      .filter((key) => !passedOver.has(key));
    if (clashing.length === 0) return { set, passedOver: [...passedOver] };
    for (const key of clashing) passedOver.add(key);
  }
}
