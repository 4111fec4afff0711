import { logBeta } from '../special/beta.ts';

/** Units of both arms in one epoch, and those of them with a success. */
export interface ShareCounts {
  readonly control: readonly [units: number, successes: number];
  readonly variant: readonly [units: number, successes: number];
}

/**
 * The always-valid p-value of "a success is as likely in both arms", exact at any number of units and for any share, which may differ from epoch to
 * epoch. The evidence is what was seen, averaged over a uniform prior for each arm, over the most that any common share gives: it is at most the
 * likelihood ratio against the true share, which is a martingale that starts at 1. Epochs multiply.
 *
 * Source: L. Wasserman, A. Ramdas and S. Balakrishnan, "Universal inference", PNAS 117 (2020), section 8 (sequential); the averaged numerator is that of
 * H. Robbins, 1970.
 */
export function equalSharesP(epochs: readonly ShareCounts[]): number {
  let logEvidence = 0;
  for (const { control, variant } of epochs) {
    const [units, successes] = [control[0] + variant[0], control[1] + variant[1]];
    const failures = units - successes;
    const most = entropy(successes, units) + entropy(failures, units);
    logEvidence += averaged(control) + averaged(variant) - most;
  }
  return Math.min(1, Math.exp(-logEvidence));
}

function averaged([units, successes]: readonly [number, number]): number {
  return logBeta(1 + successes, 1 + units - successes);
}

function entropy(count: number, of: number): number {
  return count === 0 ? 0 : count * Math.log(count / of);
}
