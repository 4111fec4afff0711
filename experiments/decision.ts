import { assign, hashShare, hashUnit, isCovered } from './assignment.ts';
import type { Caller } from './attribute.ts';
import type { Experiment, Holdout, Namespace, Variant } from './definition.ts';
import type { ExperimentSet } from './experiment-set.ts';
import { readOverride } from './override.ts';
import type { OverrideFault } from './override.ts';
import type { StickyAssignments } from './sticky-assignments.ts';
import { meets } from './targeting/match-rule.ts';

/** Why a caller got its variant. Only `split` and `sticky` count in results. */
export type Reason = 'split' | 'sticky' | 'override' | 'targeting' | 'default' | 'holdout' | 'fallback';

/** Who is called and why. */
export interface Choice {
  readonly experiment: Experiment;
  readonly variant: Variant;
  readonly reason: Reason;
  /** What the request calls its unit, where the decision came to ask; undefined: it names none. */
  readonly unit: string | undefined;
  /** The hash that split the unit, a whole number of 32 bits; undefined where nothing was split. */
  readonly hash: number | undefined;
}

/** Who is called, why, or why nobody can be: a value, never thrown. */
export type Decision =
  | (Choice & { readonly kind: 'variant' })
  | { readonly kind: 'no_experiment' }
  | (Pick<Choice, 'experiment' | 'variant' | 'reason'> & { readonly kind: 'unavailable' })
  | { readonly kind: 'refused'; readonly fault: OverrideFault; readonly message: string };

/** What deciding needs beside the experiments and the caller; one for all decisions. */
export interface DecisionContext {
  readonly sticky: StickyAssignments;
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** A name that no other request has, for a request that names no unit. */
  randomUnit(): string;
}

const NO_EXPERIMENT: Decision = { kind: 'no_experiment' };

/**
 * Decides which variant of `model` answers, in the contract's order: override, forced, match and namespace, holdout,
 * coverage, sticky, split.
 */
export function decide(
  experiments: ExperimentSet,
  model: string,
  caller: Caller,
  context: DecisionContext,
): Decision {
  const served = experiments.byModel.get(model);
  const header = caller.override();
  if (header !== undefined) {
    const override = readOverride(header, model, served?.candidates ?? [], experiments.byKey, (of) =>
      caller.mayKnow(of),
    );
    if (override.kind === 'refused') return override;
    if (override.kind === 'forced')
      return available(override.experiment, override.variant, 'override', caller);
  }
  if (served === undefined) return NO_EXPERIMENT;
  const { candidates } = served;
  const [first] = candidates;
  return candidates.length === 1
    ? decideWithin(first, experiments.holdout, caller, context)
    : decideAmong(candidates, experiments.holdout, caller, context);
}

/** What one experiment says of a caller, whatever other experiments are on its model, and without an override. */
export function decideWithin(
  experiment: Experiment,
  gatewayHoldout: Holdout | undefined,
  caller: Caller,
  context: DecisionContext,
): Decision {
  switch (experiment.status) {
    case 'draft':
      return NO_EXPERIMENT;
    case 'paused':
      return available(experiment, experiment.control, 'default', caller);
    case 'completed':
      return available(experiment, experiment.winner, 'default', caller);
    case 'running':
      return run(experiment, gatewayHoldout, caller, context);
  }
}

/** No call meets two of the candidates; whom none concerns gets the control that they share. */
function decideAmong(
  candidates: readonly [Experiment, ...Experiment[]],
  gatewayHoldout: Holdout | undefined,
  caller: Caller,
  context: DecisionContext,
): Decision {
  // A call that names no unit is the same unit to all of them, or two namespaces could both claim it.
  let drawn: string | undefined;
  const shared: DecisionContext = {
    sticky: context.sticky,
    nowMs: () => context.nowMs(),
    randomUnit: () => (drawn ??= context.randomUnit()),
  };
  const [first] = candidates;
  const forcing = candidates.find((experiment) => {
    const unit = caller.unit(experiment.hashAttribute);
    const isLive = experiment.status === 'running' && isOpen(experiment, context);
    return isLive && unit !== undefined && experiment.forced.has(unit);
  });
  const concerned =
    forcing ??
    candidates.find((experiment) => {
      const unit = caller.unit(experiment.hashAttribute);
      return concerns(experiment, unit === undefined || unit === '' ? shared.randomUnit() : unit, caller);
    });
  return concerned === undefined
    ? available(first, first.control, 'default', caller)
    : decideWithin(concerned, gatewayHoldout, caller, shared);
}

function run(
  experiment: Experiment,
  gatewayHoldout: Holdout | undefined,
  caller: Caller,
  context: DecisionContext,
): Decision {
  const { control, holdout, seed } = experiment;
  if (!isOpen(experiment, context)) return available(experiment, control, 'default', caller);
  const sent = caller.unit(experiment.hashAttribute);
  const named = sent === '' ? undefined : sent;
  if (named !== undefined && experiment.forced.size > 0) {
    const forced = experiment.forced.get(named);
    if (forced !== undefined) return available(experiment, forced, 'override', caller, named);
  }
  const unit = named ?? context.randomUnit();
  if (experiment.namespace !== undefined && !isInNamespace(experiment.namespace, unit)) {
    return available(experiment, control, 'default', caller, named);
  }
  if (experiment.match.length > 0) {
    const rule = experiment.match.find((candidate) => meets(candidate, caller));
    if (rule?.variant !== undefined) return available(experiment, rule.variant, 'targeting', caller, named);
    if (rule === undefined && experiment.isRestricted) {
      return available(experiment, control, 'default', caller, named);
    }
  }
  if (
    (gatewayHoldout !== undefined && isHeldOut(gatewayHoldout, unit)) ||
    (holdout !== undefined && isHeldOut(holdout, unit))
  ) {
    return available(experiment, control, 'holdout', caller, named);
  }
  if (!isCovered(seed, unit, experiment.coverage)) {
    return available(experiment, control, 'default', caller, named);
  }
  const hash = hashUnit(seed, unit);
  return experiment.isSticky && named !== undefined
    ? splitOnce(experiment, named, hash, caller, context)
    : available(experiment, assign(experiment.variants, hash) ?? control, 'split', caller, named, hash);
}

/**
 * Splits a unit when it first comes, and leaves it where it landed. A variant that is gone, or whose weight is 0, keeps
 * nobody: a rollback has to reach the units that landed there too.
 */
function splitOnce(
  experiment: Experiment,
  unit: string,
  hash: number,
  caller: Caller,
  { sticky }: DecisionContext,
): Decision {
  const { key, phase, variants, control } = experiment;
  const landed = sticky.get(key, phase, hash);
  const kept =
    landed === undefined ? undefined : variants.find(({ name, weight }) => name === landed && weight > 0);
  if (kept !== undefined) return available(experiment, kept, 'sticky', caller, unit, hash);
  const variant = assign(variants, hash) ?? control;
  const decision = available(experiment, variant, 'split', caller, unit, hash);
  // Who got a fallback has not landed yet.
  if (decision.kind === 'variant' && decision.reason === 'split') sticky.put(key, phase, hash, variant.name);
  return decision;
}

/** Whether the experiment has anything to say of the call: what is restricted concerns only whom a rule names. */
function concerns(experiment: Experiment, unit: string, caller: Caller): boolean {
  const { namespace, isRestricted, match } = experiment;
  return (
    (namespace === undefined || isInNamespace(namespace, unit)) &&
    (!isRestricted || match.some((rule) => meets(rule, caller)))
  );
}

function isOpen({ startMs, stopMs }: Experiment, context: DecisionContext): boolean {
  if (startMs === undefined && stopMs === undefined) return true;
  const nowMs = context.nowMs();
  return nowMs >= (startMs ?? -Infinity) && nowMs < (stopMs ?? Infinity);
}

function isInNamespace({ name, from, to }: Namespace, unit: string): boolean {
  const share = hashShare(`namespace:${name}`, unit);
  return share >= from && share < to;
}

function isHeldOut({ share, seed }: Holdout, unit: string): boolean {
  return hashShare(seed, unit) < share;
}

function available(
  experiment: Experiment,
  variant: Variant,
  reason: Reason,
  caller: Caller,
  unit?: string,
  hash?: number,
): Decision {
  if (caller.isReady(variant)) return { kind: 'variant', experiment, variant, reason, unit, hash };
  const { control } = experiment;
  if (experiment.onUnavailable === 'fallback' && caller.isReady(control)) {
    return { kind: 'variant', experiment, variant: control, reason: 'fallback', unit, hash };
  }
  return { kind: 'unavailable', experiment, variant, reason };
}
