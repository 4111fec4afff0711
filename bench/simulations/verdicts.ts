import { analyse } from '../../experiments/statistics/analysis/analyse.ts';
import { DEFAULT_SETTINGS } from '../../experiments/statistics/analysis/input.ts';
import type { MetricPlan } from '../../experiments/statistics/analysis/input.ts';
import { emptyState, observe } from '../../experiments/statistics/states/metric-state.ts';
import type { MetricState } from '../../experiments/statistics/states/metric-state.ts';
import { normal } from './random.ts';
import type { Scenario } from './scenario.ts';

const METRICS: readonly MetricPlan[] = [
  { name: 'accepted', role: 'goal', direction: 'increase', type: 'proportion', minimumEffect: 0.01 },
  { name: 'value', role: 'goal', direction: 'increase', type: 'mean', minimumEffect: 0.01 },
  { name: 'errors', role: 'guardrail', direction: 'decrease', type: 'proportion' },
];

const SHARES = { v1: 0.5, v2: 0.3, v3: 0.2 };

/** The posterior of a lift is quicker to compute than that of proportions, and decides nothing. */
const SETTINGS = { ...DEFAULT_SETTINGS, prior: { mean: 0, deviation: 10 } };

type Event =
  | 'the verdict is at some look to ship a variant'
  | 'the verdict is at some look that the sample ratio is broken'
  | 'the verdict is at some look to keep control, as a variant is worse';

/**
 * The whole analysis, over two variants that are no different from control, two goals and a guardrail.
 *
 * @param units of each experiment; there is a look after every 500
 */
export function verdictScenario(units: number): Scenario<Event> {
  return {
    name: 'A/A/A, 50/30/20, two goals and a guardrail: verdicts',
    claims: {
      'the verdict is at some look to ship a variant': { kind: 'at most', rate: 0.05 },
      'the verdict is at some look that the sample ratio is broken': { kind: 'at most', rate: 0.001 },
      'the verdict is at some look to keep control, as a variant is worse': { kind: 'at most', rate: 0.1 },
    },
    run(random) {
      const arms = {
        v1: emptyArm(),
        v2: emptyArm(),
        v3: emptyArm(),
      };
      const seen = new Set<string>();
      for (let unit = 1; unit <= units; unit += 1) {
        const draw = random();
        const arm = arms[draw < SHARES.v1 ? 'v1' : draw < SHARES.v1 + SHARES.v2 ? 'v2' : 'v3'];
        arm.units += 1;
        arm.metrics.accepted = observe(arm.metrics.accepted, { value: random() < 0.2 ? 1 : 0 });
        arm.metrics.value = observe(arm.metrics.value, { value: Math.exp(normal(random)) });
        arm.metrics.errors = observe(arm.metrics.errors, { value: random() < 0.01 ? 1 : 0 });
        if (unit % 500 !== 0) continue;
        const { decision } = analyse({
          experiment: 'simulated',
          phase: 1,
          control: 'v1',
          variants: ['v1', 'v2', 'v3'],
          metrics: METRICS,
          epochs: [{ weights: SHARES, variants: arms }],
          requests: { all: unit, overridden: 0 },
          settings: SETTINGS,
        });
        seen.add(decision.kind === 'keep' ? decision.why : decision.kind);
      }
      return {
        'the verdict is at some look to ship a variant': seen.has('ship'),
        'the verdict is at some look that the sample ratio is broken': seen.has('broken'),
        'the verdict is at some look to keep control, as a variant is worse': seen.has('worse'),
      };
    },
  };
}

interface Arm {
  units: number;
  readonly exposures: number;
  readonly metrics: { accepted: MetricState; value: MetricState; errors: MetricState };
}

function emptyArm(): Arm {
  return {
    units: 0,
    exposures: 0,
    metrics: {
      accepted: emptyState('proportion'),
      value: emptyState('mean'),
      errors: emptyState('proportion'),
    },
  };
}
