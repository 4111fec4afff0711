import type { ExperimentSet } from '../../experiments/experiment-set.ts';
import { sharesOf } from '../../experiments/shares.ts';

/** A model that no experiment routes any more, so that its highest version gets calls that it had not been given. */
export interface LeftModel {
  readonly model: string;
  /** The experiment that is gone. */
  readonly experiment: string;
  /** The share of its units that each variant had, 0 to 1. */
  readonly shares: Readonly<Record<string, number>>;
  /** The version that all calls go to now. */
  readonly version: number;
}

/**
 * The models whose calls go elsewhere because their experiment is gone: a version that was rolled back is usually the highest one, and gets
 * everybody once nothing says otherwise.
 *
 * @param highest the highest version of a model that is served; undefined where it isn't
 */
export function leftModels(
  before: ExperimentSet,
  after: ExperimentSet,
  highest: (model: string) => number | undefined,
): readonly LeftModel[] {
  const left: LeftModel[] = [];
  for (const [model, { candidates }] of before.byModel) {
    const version = highest(model);
    if (after.byModel.has(model) || version === undefined) continue;
    for (const experiment of candidates) {
      const shares = sharesOf(experiment);
      const answering = experiment.variants.filter(
        (variant) =>
          shares.some(({ variant: name, share }) => name === variant.name && share > 0) ||
          (experiment.coverage < 1 && variant === experiment.control),
      );
      if (answering.every((variant) => variant.version === version)) continue;
      left.push({
        model,
        experiment: experiment.key,
        shares: Object.fromEntries(shares.map(({ variant, share }) => [variant, share])),
        version,
      });
    }
  }
  return left;
}
