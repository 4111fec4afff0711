import { banditScenario } from './bandits.ts';
import { burnInScenario } from './burn-in.ts';
import { meanScenarios } from './mean-scenarios.ts';
import { movedUnits } from './moved-units.ts';
import { powerScenarios } from './powers.ts';
import { quantileScenario } from './quantiles.ts';
import { ratiosOfRareDenominators, ratiosOverEpochs } from './ratios.ts';
import { returningUnits } from './returning-units.ts';
import { mismatchFound, sampleRatioScenarios } from './sample-ratios.ts';
import type { Scenario } from './scenario.ts';
import { verdictScenario } from './verdicts.ts';

/** A scenario and how often it is run. */
export interface Planned {
  readonly scenario: Scenario;
  readonly runs: number;
}

/** What `npm run simulate` runs; the same list in every thread. */
export function longPlan(): readonly Planned[] {
  const times = (runs: number, scenarios: readonly Scenario[]): readonly Planned[] =>
    scenarios.map((scenario) => ({ scenario, runs }));
  return [
    ...times(2000, meanScenarios(20_000)),
    ...times(2000, [burnInScenario(20_000, 0.1, 0.01), burnInScenario(20_000, 0.1, 0.001)]),
    ...times(2000, [banditScenario(20_000, 0), banditScenario(20_000, 0.02)]),
    ...times(200, ratiosOverEpochs(20_000)),
    ...times(1000, ratiosOfRareDenominators(20_000)),
    ...times(2000, [returningUnits(5000)]),
    ...times(200, [movedUnits(9000)]),
    ...times(2000, [
      quantileScenario(5000, 0.5, 0.5, 0),
      quantileScenario(5000, 0.99, 0.1, 0),
      quantileScenario(5000, 0.99, 0.5, 40),
    ]),
    ...times(20_000, powerScenarios()),
    ...times(20_000, sampleRatioScenarios(10_000)),
    ...times(1000, [mismatchFound(20_000, 0.1, 0.11), mismatchFound(20_000, 0.5, 0.52)]),
    ...times(1000, [verdictScenario(10_000)]),
  ];
}
