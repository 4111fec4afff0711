import { exactInterval, holds } from '../simulations/exact-binomial.ts';
import type { Claim } from '../simulations/exact-binomial.ts';
import { seededRandom } from '../simulations/random.ts';
import { HEALTHY, simulateRollout } from './simulated-rollout.ts';
import type { Behaviour } from './simulated-rollout.ts';

/** Rollouts of one kind of version 2, and what is claimed of how many are rolled back. */
export interface RolloutScenario {
  readonly name: string;
  readonly version2: Behaviour;
  /** Rollouts of the long version. */
  readonly runs: number;
  readonly claim: Claim;
}

export const SCENARIOS: readonly RolloutScenario[] = [
  {
    name: 'version 2 is the same (A/A)',
    version2: HEALTHY,
    runs: 1000,
    claim: { kind: 'at most', rate: 0.05 },
  },
  {
    name: 'errors go from 1 % to 2 %',
    version2: { ...HEALTHY, errorRate: 0.02 },
    runs: 1000,
    claim: { kind: 'at least', rate: 0.95 },
  },
  {
    name: 'right answers go from 90 % to 87 %',
    version2: { ...HEALTHY, correctRate: 0.87 },
    runs: 1000,
    claim: { kind: 'at least', rate: 0.95 },
  },
  {
    name: 'callers turned away as mistaken go from 2 % to 4 %',
    version2: { ...HEALTHY, clientErrorRate: 0.04 },
    runs: 1000,
    claim: { kind: 'at least', rate: 0.95 },
  },
  {
    name: 'runs take 25 % longer',
    version2: { ...HEALTHY, computeMs: 1.25 * HEALTHY.computeMs },
    runs: 1000,
    claim: { kind: 'at least', rate: 0.95 },
  },
];

/** New units in each interval of a minute. */
export const UNITS_AN_INTERVAL = 10_000;

export interface RolloutFigures {
  readonly scenario: RolloutScenario;
  readonly runs: number;
  readonly rolledBack: number;
  readonly promoted: number;
  /** By the code of the cause. */
  readonly causes: ReadonlyMap<string, number>;
  /** Of the units that came, the share that got version 2 before it was rolled back, one a rollout that was; in order of size. */
  readonly shares: readonly number[];
  readonly minutes: readonly number[];
  readonly holds: boolean;
}

/** Runs a scenario that often, each run from a seed of its own. */
export function simulateScenario(scenario: RolloutScenario, runs: number, seed = 20261125): RolloutFigures {
  const causes = new Map<string, number>();
  const shares: number[] = [];
  const minutes: number[] = [];
  let promoted = 0;
  for (let run = 0; run < runs; run += 1) {
    const random = seededRandom(Math.imul(seed, 2654435761) ^ Math.imul(run + 1, 40503));
    const { state, cause, share, intervals } = simulateRollout(random, scenario.version2, UNITS_AN_INTERVAL);
    if (state.kind === 'succeeded') promoted += 1;
    if (state.kind !== 'rolled_back') continue;
    const name = `${cause.code} ${cause.message.split(':')[0]?.split(' ')[0] ?? ''}`;
    causes.set(name, (causes.get(name) ?? 0) + 1);
    shares.push(share);
    minutes.push(intervals);
  }
  const ascending = (a: number, b: number): number => a - b;
  return {
    scenario,
    runs,
    rolledBack: shares.length,
    promoted,
    causes,
    shares: shares.sort(ascending),
    minutes: minutes.sort(ascending),
    holds: holds(scenario.claim, shares.length, runs),
  };
}

/** A scenario's figures as lines of text. */
export function figuresText({
  scenario,
  runs,
  rolledBack,
  promoted,
  causes,
  shares,
  minutes,
  holds: held,
}: RolloutFigures): string {
  const percent = (rate: number, digits = 2): string => `${(100 * rate).toFixed(digits)} %`;
  const [low, high] = exactInterval(rolledBack, runs);
  const { claim } = scenario;
  const claimed =
    claim.kind === 'contrast'
      ? ''
      : `claimed: ${claim.kind} ${percent(claim.rate, 0)}   ${held ? 'holds' : 'DOES NOT HOLD'}`;
  const lines = [
    `${scenario.name} (${runs} rollouts)`,
    `  rolled back by the statistics   ${percent(rolledBack / runs)} (${percent(low)} to ${percent(high)})   ${claimed}`,
    `  promoted                        ${percent(promoted / runs)}`,
  ];
  if (rolledBack > 0) {
    const at = (sorted: readonly number[], share: number): number =>
      sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
    lines.push(
      `  units that got it before        mean ${percent(mean)}, median ${percent(at(shares, 0.5))}, 95th percentile ${percent(at(shares, 0.95))} of those that came`,
      `  minutes until then              median ${at(minutes, 0.5)}, 95th percentile ${at(minutes, 0.95)}`,
      `  by                              ${[...causes]
        .sort(([, a], [, b]) => b - a)
        .map(([name, count]) => `${name} ${count}`)
        .join(', ')}`,
    );
  }
  return lines.join('\n');
}
