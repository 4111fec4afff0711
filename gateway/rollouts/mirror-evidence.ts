import type { Experiment } from '../../experiments/definition.ts';
import { mirrorResults } from '../../experiments/results/mirror-results.ts';
import type { MirrorEvidence } from '../../experiments/rollouts/mirror-findings.ts';
import type { GatewayState } from '../state/state.ts';

/**
 * What the copies that a variant got in the experiment's phase have shown, against what callers of the control got.
 *
 * @throws StoreUnavailable
 */
export async function mirrorEvidence(
  { store, mirrors }: Pick<GatewayState, 'store' | 'mirrors'>,
  { key, phase, control }: Experiment,
  variant: string,
): Promise<MirrorEvidence | undefined> {
  await mirrors.flush();
  const results = mirrorResults(await store.mirrors(key, phase));
  const found = results.find((result) => result.variant === control.name && result.mirror === variant);
  if (found === undefined) return undefined;
  const { compared, agreement, drift, nonFinite, otherShape, failed } = found;
  return {
    compared,
    agreement:
      agreement === null
        ? null
        : { share: agreement.unitShare ?? agreement.share, interval: agreement.interval },
    psi: drift?.psi ?? null,
    nonFinite: { answered: nonFinite.variant, mirrored: nonFinite.mirror },
    otherShape,
    failed: Object.values(failed).reduce((sum, count) => sum + count, 0),
  };
}
