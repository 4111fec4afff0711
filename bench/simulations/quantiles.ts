import { quantileEvidence } from '../../experiments/statistics/sequential/quantile-sequence.ts';
import { BUCKET_RATIO, bucketOf } from '../../experiments/statistics/states/log-histogram.ts';
import type { LogHistogram } from '../../experiments/statistics/states/log-histogram.ts';
import { geometric, normal } from './random.ts';
import type { Scenario } from './scenario.ts';

const TUNING = { plannedTime: 5000, alpha: 0.05 };

type Event =
  | 'one row per batch: the sequence leaves out the true ratio at some look'
  | 'every request of a batch: the sequence leaves it out at the end';

/**
 * Latencies of requests that were batched together: all of a batch take as long. Looked at after every 100 rows.
 *
 * @param rows in both arms together
 * @param share of the variant, 0 to 1
 * @param shift of the variant's quantile from control's, in buckets of 1 %
 */
export function quantileScenario(rows: number, p: number, share: number, shift: number): Scenario<Event> {
  const ratio = BUCKET_RATIO ** shift;
  return {
    name: `p${100 * p} of latency, ${100 * (1 - share)}/${100 * share}, batches of 8 on average, true ratio ${ratio.toFixed(2)}`,
    claims: {
      'one row per batch: the sequence leaves out the true ratio at some look': {
        kind: 'at most',
        rate: 0.05,
      },
      'every request of a batch: the sequence leaves it out at the end': { kind: 'contrast' },
    },
    run(random) {
      const thinned = arms();
      const all = arms();
      let [missed, missedByAll] = [false, false];
      for (let row = 1; row <= rows; row += 1) {
        const inVariant = random() < share;
        const latencySeconds = 0.01 * (inVariant ? ratio : 1) * Math.exp(0.4 * normal(random));
        const arm = inVariant ? 'variant' : 'control';
        count(thinned[arm], latencySeconds, 1);
        count(all[arm], latencySeconds, 1 + geometric(random, 0.875));
        if (row % 100 !== 0) continue;
        missed ||= misses(thinned, p, shift);
        if (row === rows) missedByAll = misses(all, p, shift);
      }
      return {
        'one row per batch: the sequence leaves out the true ratio at some look': missed,
        'every request of a batch: the sequence leaves it out at the end': missedByAll,
      };
    },
  };
}

interface MutableHistogram extends LogHistogram {
  readonly counts: Record<string, number>;
}

interface Arms {
  readonly control: MutableHistogram;
  readonly variant: MutableHistogram;
}

function arms(): Arms {
  return { control: { zeros: 0, counts: {} }, variant: { zeros: 0, counts: {} } };
}

function count({ counts }: MutableHistogram, value: number, times: number): void {
  const index = bucketOf(value);
  counts[index] = (counts[index] ?? 0) + times;
}

/** Whether the true ratio, a whole number of buckets, lies outside of the interval that the evidence makes. */
function misses(stratum: Arms, p: number, shift: number): boolean {
  const evidence = quantileEvidence([stratum], p, TUNING);
  return evidence !== undefined && evidence.against(shift) >= Math.log(1 / TUNING.alpha);
}
