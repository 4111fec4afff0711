import { expect, test } from 'vitest';
import { figuresText, SCENARIOS, simulateScenario } from '../../../bench/rollouts/simulations.ts';

// The long version is `npm run simulate:rollouts`; its results stand in bench/results. Seeds are fixed, so this one never fails by chance.
test.each(SCENARIOS)('of simulated rollouts, as many are rolled back as is claimed: $name', (scenario) => {
  const figures = simulateScenario(scenario, 12);
  expect(figures.holds, figuresText(figures)).toBe(true);
  expect(figures.rolledBack).toBe(scenario.claim.kind === 'at least' ? 12 : 0);
});
