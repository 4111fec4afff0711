import { randomUUID } from 'node:crypto';
import { assign, hashUnit, isCovered } from './assignment.ts';
import type { Experiment, Variant } from './definition.ts';
import type { ExperimentSet } from './experiment-set.ts';
import { readOverride } from './override.ts';
import type { OverrideFault } from './override.ts';

/** Why a caller got its variant. Only `split` counts in results. */
export type Reason = 'split' | 'override' | 'default' | 'fallback';

/** Who is called, why, or why nobody can be: a value, never thrown. */
export type Decision =
  | {
      readonly kind: 'variant';
      readonly experiment: Experiment;
      readonly variant: Variant;
      readonly reason: Reason;
    }
  | { readonly kind: 'no_experiment' }
  | { readonly kind: 'unavailable'; readonly experiment: Experiment; readonly variant: Variant }
  | { readonly kind: 'refused'; readonly fault: OverrideFault; readonly message: string };

/** What routing may look at: the head of a request, and which versions can answer now. */
export interface Caller {
  /** The value of a request header, by its lower-case name. */
  header(name: string): string | undefined;
  /** Whether that version of the called model can answer now. */
  isReady(version: number): boolean;
}

const NO_EXPERIMENT: Decision = { kind: 'no_experiment' };

/** Decides which variant of `model` answers, in the contract's order: override, coverage, split. */
export function decide(experiments: ExperimentSet, model: string, caller: Caller): Decision {
  const experiment = experiments.byModel.get(model);
  const header = caller.header('x-experiment');
  if (header !== undefined) {
    const override = readOverride(header, model, experiment, experiments.byKey);
    if (override.kind === 'refused') return override;
    if (override.kind === 'forced' && experiment !== undefined) {
      return available(experiment, override.variant, 'override', caller);
    }
  }
  if (experiment === undefined) return NO_EXPERIMENT;
  switch (experiment.status) {
    case 'draft':
      return NO_EXPERIMENT;
    case 'paused':
      return available(experiment, experiment.control, 'default', caller);
    case 'completed':
      return available(experiment, experiment.winner, 'default', caller);
    case 'running':
      return split(experiment, caller);
  }
}

function split(experiment: Experiment, caller: Caller): Decision {
  // A caller without a unit is a unit of its own, for this one request.
  const named = caller.header(experiment.hashAttribute);
  const unit = named === undefined || named === '' ? randomUUID() : named;
  if (!isCovered(experiment.seed, unit, experiment.coverage)) {
    return available(experiment, experiment.control, 'default', caller);
  }
  const variant = assign(experiment.variants, hashUnit(experiment.seed, unit)) ?? experiment.control;
  return available(experiment, variant, 'split', caller);
}

function available(experiment: Experiment, variant: Variant, reason: Reason, caller: Caller): Decision {
  if (caller.isReady(variant.version)) return { kind: 'variant', experiment, variant, reason };
  const { control } = experiment;
  if (experiment.onUnavailable === 'fallback' && caller.isReady(control.version)) {
    return { kind: 'variant', experiment, variant: control, reason: 'fallback' };
  }
  return { kind: 'unavailable', experiment, variant };
}
