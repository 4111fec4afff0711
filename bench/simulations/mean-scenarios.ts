import { meanScenario, plan, RATIO_PLAN } from './means.ts';
import { geometric, normal } from './random.ts';
import type { Scenario } from './scenario.ts';

const NOTHING = { difference: 0, lift: 0 };

/** One epoch at these shares. */
const constant = (units: number, share: number): readonly { units: number; share: number }[] => [
  { units, share },
];

/**
 * A/A and A/B experiments with units that come once each in the state, as the product keeps them.
 *
 * @param units of each experiment, 20,000 in the long run
 */
export function meanScenarios(units: number): readonly Scenario[] {
  const shares = [
    ['50/50', 0.5],
    ['90/10', 0.1],
  ] as const;
  const each = (of: (split: string, share: number) => Scenario): Scenario[] =>
    shares.map(([split, share]) => of(split, share));
  return [
    ...each((split, share) =>
      meanScenario(
        {
          name: `A/A, ${split}, rate of 1 %`,
          plan: plan('proportion'),
          epochs: constant(units, share),
          draw: (random) => ({ value: random() < 0.01 ? 1 : 0 }),
          truth: NOTHING,
        },
        // At 90/10 the end has some 20 events in the small arm; Welch's interval is known to undercover there.
        share === 0.5 ? 'claimed' : 'shown',
      ),
    ),
    ...each((split, share) =>
      meanScenario(
        {
          name: `A/A, ${split}, log-normal values of shape 1.5 (skewness 33)`,
          plan: plan('mean'),
          epochs: constant(units, share),
          draw: (random) => ({ value: Math.exp(1.5 * normal(random)) }),
          truth: NOTHING,
        },
        share === 0.5 ? 'claimed' : 'shown',
      ),
    ),
    ...each((split, share) =>
      meanScenario(
        {
          name: `A/A, ${split}, normal values with a covariate of correlation 0.8 (CUPED)`,
          plan: plan('mean', true),
          epochs: constant(units, share),
          draw: (random) => {
            const before = normal(random);
            return { value: 10 + 0.8 * before + 0.6 * normal(random), second: before };
          },
          truth: NOTHING,
        },
        'claimed',
      ),
    ),
    meanScenario(
      {
        name: 'A/A, 90/10, a covariate that leaves nothing but an event of 1 % (CUPED)',
        plan: plan('mean', true),
        epochs: constant(units, 0.1),
        draw: (random) => {
          const before = 10 * normal(random);
          return { value: before + (random() < 0.01 ? 5 : 0), second: before };
        },
        truth: NOTHING,
      },
      'shown',
    ),
    ...each((split, share) =>
      meanScenario(
        {
          name: `A/A, ${split}, clicks per request of units with 1 to 50 requests (ratio)`,
          plan: RATIO_PLAN,
          epochs: constant(units, share),
          draw: (random) => {
            const requests = 1 + Math.min(49, geometric(random, 0.85));
            const taste = random() < 0.2 ? 0.4 : 0.05;
            let clicks = 0;
            for (let i = 0; i < requests; i += 1) if (random() < taste) clicks += 1;
            return { value: clicks, second: requests };
          },
          truth: NOTHING,
        },
        'claimed',
      ),
    ),
    ...each((split, share) =>
      meanScenario(
        {
          name: `A/B, ${split}, 10 % against 12 %`,
          plan: plan('proportion'),
          epochs: constant(units, share),
          draw: (random, inVariant) => ({ value: random() < (inVariant ? 0.12 : 0.1) ? 1 : 0 }),
          truth: { difference: 0.02, lift: 0.2 },
        },
        'claimed',
      ),
    ),
    meanScenario(
      {
        name: 'A/A, 95/5 then 75/25 then 50/50, while the rate goes from 5 % to 10 % to 20 %',
        plan: plan('proportion'),
        epochs: [
          { units: units * 0.3, share: 0.05 },
          { units: units * 0.3, share: 0.25 },
          { units: units * 0.4, share: 0.5 },
        ],
        draw: (random, _, epoch) => ({ value: random() < 0.05 * 2 ** epoch ? 1 : 0 }),
        truth: NOTHING,
      },
      'claimed',
    ),
  ];
}
