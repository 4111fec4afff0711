import {
  compareArms,
  difference,
  effectiveUnitsToBelieve,
} from '../../experiments/statistics/estimates/comparison.ts';
import { sampleOfProportion } from '../../experiments/statistics/estimates/sample.ts';
import { confidenceSequence } from '../../experiments/statistics/sequential/confidence-sequence.ts';
import type { Scenario } from './scenario.ts';

const TUNING = { plannedTime: 10_000, alpha: 0.05 };

type Event = 'with the burn-in: false alarm at some look' | 'without it: false alarm at some look';

/** What the burn-in is for: an A/A experiment of a rare event, whose small arm has none at first. */
export function burnInScenario(units: number, share: number, rate: number): Scenario<Event> {
  return {
    name: `burn-in, A/A, ${100 * (1 - share)}/${100 * share}, rate of ${100 * rate} %`,
    claims: {
      'with the burn-in: false alarm at some look': { kind: 'at most', rate: 0.05 },
      'without it: false alarm at some look': { kind: 'contrast' },
    },
    run(random) {
      const n: [number, number] = [0, 0];
      const successes: [number, number] = [0, 0];
      let [believed, all] = [false, false];
      for (let unit = 1; unit <= units; unit += 1) {
        const arm = random() < share ? 1 : 0;
        n[arm] += 1;
        if (random() < rate) successes[arm] += 1;
        if (unit % 100 !== 0) continue;
        const comparison = compareArms([
          {
            control: sampleOfProportion(n[0], successes[0]),
            variant: sampleOfProportion(n[1], successes[1]),
          },
        ]);
        if (comparison === undefined) continue;
        const { effectiveUnits } = comparison;
        const alarm =
          (confidenceSequence(difference(comparison), effectiveUnits, 0.05, TUNING)?.p ?? 1) < 0.05;
        all ||= alarm;
        believed ||= alarm && effectiveUnits >= effectiveUnitsToBelieve(comparison);
      }
      return {
        'with the burn-in: false alarm at some look': believed,
        'without it: false alarm at some look': all,
      };
    },
  };
}
