import type { Experiment } from '../definition.ts';
import { thresholdResults } from '../results/threshold-results.ts';
import type { ThresholdResult } from '../results/threshold-results.ts';
import type { Tallies } from '../stores/tallies.ts';
import { figure } from './figure.ts';
import type { Finding } from './judgement.ts';

/**
 * Holds a variant against the absolute thresholds: it fails where its value is beyond one for sure, at every look together; it is
 * inconclusive where the value that is seen is beyond, and that may still be chance.
 *
 * @param alpha the level of each threshold
 */
export function thresholdFindings(
  experiment: Experiment,
  variant: string,
  tallies: Tallies,
  alpha: number,
): readonly Finding[] {
  return thresholdResults(experiment, variant, tallies, alpha).map(findingOf);
}

function findingOf(result: ThresholdResult): Finding {
  const { metric: name, bound, value, variant, estimate, units, p, outcome, reason } = result;
  const finding = (found: Finding['outcome'], message: string): Finding => ({
    source: 'threshold',
    name,
    outcome: found,
    message,
  });
  const seen =
    estimate === null
      ? ''
      : `${name} of ${variant} is ${figure(estimate)} over ${units} units, and its ${bound} is ${figure(value)}`;
  switch (outcome) {
    case 'within':
      return finding('pass', seen);
    case 'beyond':
      return finding('fail', `${seen}: beyond it for sure (p ${figure(p)})`);
    case 'open':
      return finding('inconclusive', `${seen}: beyond it, which may be chance (p ${figure(p)})`);
    case 'no_data':
      return finding('no_data', `${name} of ${variant} has no value yet`);
    case 'unfit':
      return finding('unhealthy', `${name} can't be held against its ${bound}: ${reason ?? ''}`);
  }
}
