import type { Claim } from './exact-binomial.ts';
import { exactInterval, holds } from './exact-binomial.ts';
import { seededRandom } from './random.ts';

/** An experiment that is run many times, and what is claimed of how often each of its events happens. */
export interface Scenario<Event extends string = string> {
  readonly name: string;
  readonly claims: Readonly<Record<Event, Claim>>;
  /** One experiment, from its first unit to its last; says which events happened. */
  run(random: () => number): Readonly<Record<Event, boolean>>;
}

/** How often an event happened. */
export interface Outcome {
  readonly scenario: string;
  readonly event: string;
  readonly claim: Claim;
  readonly count: number;
  readonly runs: number;
  readonly holds: boolean;
}

/** Runs a scenario that often, each run from a seed of its own. */
export function simulate(scenario: Scenario, runs: number, seed = 20261122): readonly Outcome[] {
  const counts = new Map<string, number>();
  for (let run = 0; run < runs; run += 1) {
    const events = scenario.run(seededRandom(Math.imul(seed, 2654435761) ^ Math.imul(run + 1, 40503)));
    for (const [event, happened] of Object.entries(events)) {
      if (happened) counts.set(event, (counts.get(event) ?? 0) + 1);
    }
  }
  return Object.entries(scenario.claims).map(([event, claim]) => {
    const count = counts.get(event) ?? 0;
    return { scenario: scenario.name, event, claim, count, runs, holds: holds(claim, count, runs) };
  });
}

/** `4.35 % (3.27 to 5.65)   claimed: at most 5 %   holds`. */
export function outcomeText({ event, claim, count, runs, holds: held }: Outcome): string {
  const percent = (rate: number): string => (100 * rate).toFixed(runs >= 20_000 ? 3 : 2);
  const [low, high] = exactInterval(count, runs);
  const figure = `${percent(count / runs)} % (${percent(low)} to ${percent(high)})`;
  const verdict = held ? 'holds' : 'DOES NOT HOLD';
  const claimed = claim.kind === 'contrast' ? 'for contrast' : `claimed: ${claimText(claim)}   ${verdict}`;
  return `  ${event.padEnd(62)} ${figure.padEnd(26)} ${claimed}`;
}

function claimText(claim: Exclude<Claim, { readonly kind: 'contrast' }>): string {
  const percent = (rate: number): string => `${(100 * rate).toPrecision(3)} %`;
  return claim.kind === 'near'
    ? `within ${percent(claim.tolerance)} of ${percent(claim.rate)}`
    : `${claim.kind} ${percent(claim.rate)}`;
}
