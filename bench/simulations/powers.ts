import { compareArms, difference } from '../../experiments/statistics/estimates/comparison.ts';
import { sampleOfProportion } from '../../experiments/statistics/estimates/sample.ts';
import { welch } from '../../experiments/statistics/estimates/welch.ts';
import { unitsNeeded } from '../../experiments/statistics/power.ts';
import type { PowerQuestion } from '../../experiments/statistics/power.ts';
import { confidenceSequence } from '../../experiments/statistics/sequential/confidence-sequence.ts';
import type { Scenario } from './scenario.ts';

const TUNING = { plannedTime: 10_000, alpha: 0.05 };

type Event = "Welch's test finds it at its planned end" | 'the sequence finds it by its planned end';

/** A known effect, with as many units as the calculation of power says that 80 % take. */
export function powerScenario(share: number, control: number, variant: number): Scenario<Event> {
  const question = {
    controlVariance: control * (1 - control),
    variantVariance: variant * (1 - variant),
    controlShare: 1 - share,
    variantShare: share,
    alpha: 0.05,
  };
  const unitsFor = (design: PowerQuestion['design']): number =>
    unitsNeeded({ ...question, design }, variant - control, 0.8);
  const [fixedUnits, sequentialUnits] = [unitsFor('fixed'), unitsFor(TUNING)];
  const split = `${Math.round(100 * (1 - share))}/${Math.round(100 * share)}`;
  return {
    name:
      `power, ${split}, ${100 * control} % against ${100 * variant} %: ` +
      `${fixedUnits} units fixed, ${sequentialUnits} looked at always`,
    claims: {
      // The calculation takes the estimated variances for the true ones, which is off by almost a point at 90/10.
      "Welch's test finds it at its planned end": { kind: 'near', rate: 0.8, tolerance: 0.01 },
      'the sequence finds it by its planned end': { kind: 'at least', rate: 0.8 },
    },
    run(random) {
      const n: [number, number] = [0, 0];
      const successes: [number, number] = [0, 0];
      let [byWelch, bySequence] = [false, false];
      for (let unit = 1; unit <= sequentialUnits; unit += 1) {
        const arm = random() < share ? 1 : 0;
        n[arm] += 1;
        if (random() < (arm === 1 ? variant : control)) successes[arm] += 1;
        if (unit !== fixedUnits && unit !== sequentialUnits && unit % 100 !== 0) continue;
        const comparison = compareArms([
          {
            control: sampleOfProportion(n[0], successes[0]),
            variant: sampleOfProportion(n[1], successes[1]),
          },
        ]);
        if (comparison === undefined) continue;
        const effect = difference(comparison);
        if (unit === fixedUnits) byWelch = (welch(effect, comparison.degreesOfFreedom, 0.05)?.p ?? 1) < 0.05;
        bySequence ||= (confidenceSequence(effect, comparison.effectiveUnits, 0.05, TUNING)?.p ?? 1) < 0.05;
        if (bySequence && unit > fixedUnits) break;
      }
      return {
        "Welch's test finds it at its planned end": byWelch,
        'the sequence finds it by its planned end': bySequence,
      };
    },
  };
}

export function powerScenarios(): readonly Scenario[] {
  return [
    powerScenario(0.5, 0.1, 0.12),
    powerScenario(0.1, 0.1, 0.12),
    powerScenario(0.5, 0.01, 0.015),
    powerScenario(0.5, 0.5, 0.52),
  ];
}
