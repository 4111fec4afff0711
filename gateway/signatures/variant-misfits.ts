import { signatureMisfits } from '../../backends/signature-misfit.ts';
import type { SignatureMisfit } from '../../backends/signature-misfit.ts';
import type { Experiment } from '../../experiments/definition.ts';
import type { SignatureHealth } from '../../experiments/results/experiment-results.ts';
import type { Variant } from '../../experiments/variant.ts';
import type { Describe } from './describe.ts';

/** A variant that can't answer as the control does, though callers send both the same requests. */
export interface VariantMisfit {
  readonly variant: Variant;
  readonly part: SignatureMisfit['part'];
  /** Whether it must not be so: callers would be turned away, or a rollout taken back. Otherwise it is only told. */
  readonly isFault: boolean;
  /** What differs, after the variant's name: `takes x FP32 [-1, 4], and not y FP32 [-1, 4]`. */
  readonly difference: string;
  /** What differs, what comes of it and what would be right, one sentence that begins with the variant's name. */
  readonly message: string;
}

/**
 * Holds what an experiment's variants take and give against its control's.
 *
 * Other inputs are a fault wherever somebody is sent to the variant: which of the two answers is not the caller's to know. They are none where a
 * rule of the experiment looks at the inputs, as then it is the experiment that tells requests apart. An output that is missing is one for what is rolled out only,
 * whose rollout it ends; others may be read by their place, or as classes.
 */
export function variantMisfits(experiment: Experiment, describe: Describe): readonly VariantMisfit[] {
  const { model, control, status, variants, match } = experiment;
  // Then all get one variant, and there are no two to send the same to.
  if (status === 'completed') return [];
  const usual = describe(model, control);
  if (usual === undefined) return [];
  const isMapped = match.some(({ inputs }) => inputs.length > 0);
  return variants.flatMap((variant): readonly VariantMisfit[] => {
    const other = variant.name === control.name ? undefined : describe(model, variant);
    if (other === undefined) return [];
    const isLive = status === 'running' && isSentTo(experiment, variant);
    return signatureMisfits(usual, other)
      .filter(({ part }) => !isMapped || (part !== 'inputs' && part !== 'tensors'))
      .map(({ part, message: difference }) => {
        const isRolledOut = experiment.rollout?.variant === variant.name;
        const isFault = isLive && (part === 'inputs' || (part === 'outputs' && isRolledOut));
        const message = `${variant.name} ${difference}, as ${control.name} does: ${consequence(part, isRolledOut)}`;
        return { variant, part, isFault, difference, message };
      });
  });
}

/** The same, as results say it. */
export function signatureHealth(experiment: Experiment, describe: Describe): SignatureHealth {
  const misfits = variantMisfits(experiment, describe);
  return {
    ok: !misfits.some(({ isFault }) => isFault),
    misfits: misfits.map(({ variant, message }) => ({ variant: variant.name, message })),
  };
}

/** Whether units or requests get the variant without asking for it by name. */
function isSentTo(experiment: Experiment, { name, weight }: Variant): boolean {
  const { rollout, allocation, forced, match } = experiment;
  if (weight > 0 || allocation !== undefined) return true;
  if (rollout !== undefined && (rollout.variant === name || rollout.baseline === name)) return true;
  return (
    [...forced.values()].some((variant) => variant.name === name) ||
    match.some(({ variant }) => variant?.name === name)
  );
}

function consequence(part: SignatureMisfit['part'], isRolledOut: boolean): string {
  switch (part) {
    case 'inputs':
      return 'callers send both the same requests, and it would turn theirs away; expected a version with the inputs of the control, or an experiment on a model of its own';
    case 'tensors':
      return 'callers who send tensors, and not images, would be turned away';
    case 'outputs':
      return isRolledOut
        ? 'its rollout would be taken back before it begins; expected a version with the outputs of the control'
        : 'callers who ask for an output by its name would be turned away';
    case 'sizes':
      return 'callers who count on the size get another one';
  }
}
