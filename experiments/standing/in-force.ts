import type { Experiment, Variant } from '../definition.ts';
import type { ExperimentSet } from '../experiment-set.ts';
import { NO_TRAFFIC } from '../rollouts/plan.ts';
import type { Traffic } from '../rollouts/plan.ts';
import { readRecord, trafficOf } from '../rollouts/state.ts';
import type { Split, Standing } from './standing.ts';
import { ownValue } from '../named-values.ts';

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
    const weight = ownValue(split.weights, variant.name);
    placed.set(variant, weight === undefined ? variant : Object.freeze({ ...variant, weight }));
  }
  // Decisions compare variants by identity, so that every place has to name the same one.
  const at = (variant: Variant): Variant => placed.get(variant) ?? variant;
  const { match, forced, mirrors, variants } = experiment;
  const winner = variants.find(({ name }) => name === split.winner) ?? experiment.control;
  const rolledOut = trafficOfRollout(experiment, split);
  return Object.freeze({
    ...experiment,
    weightsVersion: version,
    status: split.status,
    variants: Object.freeze(variants.map(at)),
    control: at(experiment.control),
    winner: at(winner),
    match: [
      ...rolledOut.rules.map((rule) => ({ ...rule, variant: at(rolledOut.variant) })),
      ...match.map((rule) => (rule.variant === undefined ? rule : { ...rule, variant: at(rule.variant) })),
    ],
    forced: new Map([...forced].map(([unit, variant]) => [unit, at(variant)])),
    mirrors: [
      ...mirrors
        .filter(({ variant }) => rolledOut.mirror === 0 || variant !== rolledOut.variant)
        .map((mirror) => ({ ...mirror, variant: at(mirror.variant) })),
      ...(rolledOut.mirror === 0 ? [] : [{ variant: at(rolledOut.variant), share: rolledOut.mirror / 100 }]),
    ],
  });
}

/** What the rollout's step sends to what is rolled out beside its weight: whom a rule names, before the file's own rules, and copies. */
function trafficOfRollout(
  { rollout: plan, variants, control }: Experiment,
  { rollout }: Split,
): Pick<Traffic, 'rules' | 'mirror'> & { readonly variant: Variant } {
  const record = readRecord(rollout);
  const variant = variants.find(({ name }) => name === plan?.variant);
  if (plan === undefined || record === undefined || variant === undefined)
    return { ...NO_TRAFFIC, variant: control };
  return { ...trafficOf(plan, record.state), variant };
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
 * The experiments that are in force together: who answers for a model is as the files say, how each splits as it stands.
 *
 * So an experiment that was ended by hand keeps its place, and neither clashes with nor gives way to another one that is
 * completed: its file still says that it runs.
 *
 * @param files as the files alone would have it
 * @param standingOf undefined: it is as its file says
 */
export function experimentsInForce(
  files: ExperimentSet,
  standingOf: (experiment: Experiment) => Standing | undefined,
  overlay: StandingOverlay,
): ExperimentSet {
  const inForce = (experiment: Experiment): Experiment => {
    const standing = standingOf(experiment);
    return standing === undefined ? experiment : overlay.apply(experiment, standing);
  };
  return {
    byModel: new Map(
      [...files.byModel].map(
        ([
          model,
          {
            candidates: [first, ...others],
            needsBody,
          },
        ]) => [model, { candidates: [inForce(first), ...others.map(inForce)], needsBody }],
      ),
    ),
    byKey: new Map([...files.byKey].map(([key, experiment]) => [key, inForce(experiment)])),
    holdout: files.holdout,
  };
}
