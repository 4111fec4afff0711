import { compareArms, difference } from '../../experiments/statistics/estimates/comparison.ts';
import { sampleOfProportion } from '../../experiments/statistics/estimates/sample.ts';
import { welch } from '../../experiments/statistics/estimates/welch.ts';
import { ALPHA, isAlarm } from './believed-sequence.ts';
import type { Scenario } from './scenario.ts';

type Event =
  | 'a unit is one observation: false alarm at some look'
  | 'each request is one: false alarm at some look'
  | "each request is one: Welch's interval misses at the end";

interface Tally {
  readonly n: [control: number, variant: number];
  readonly successes: [control: number, variant: number];
}

/**
 * Callers that come back: three requests of four are of a unit that was there before, and the more often it was, the sooner it is back. A unit keeps its
 * own rate, 2 % or 40 %.
 */
export function returningUnits(units: number): Scenario<Event> {
  return {
    name: 'A/A, 50/50, units that return: 4 requests each on average, some hundreds of times',
    claims: {
      'a unit is one observation: false alarm at some look': { kind: 'at most', rate: 0.05 },
      'each request is one: false alarm at some look': { kind: 'contrast' },
      "each request is one: Welch's interval misses at the end": { kind: 'contrast' },
    },
    run(random) {
      const all: { readonly arm: 0 | 1; readonly rate: number }[] = [];
      const requests: number[] = [];
      const byUnit: Tally = { n: [0, 0], successes: [0, 0] };
      const byRequest: Tally = { n: [0, 0], successes: [0, 0] };
      let [unitAlarm, requestAlarm] = [false, false];
      while (all.length < units) {
        const isNew = all.length === 0 || random() < 0.25;
        if (isNew) all.push({ arm: random() < 0.5 ? 1 : 0, rate: random() < 0.8 ? 0.02 : 0.4 });
        const index = isNew ? all.length - 1 : (requests[Math.floor(random() * requests.length)] ?? 0);
        requests.push(index);
        const unit = all[index];
        if (unit === undefined) continue;
        const success = random() < unit.rate ? 1 : 0;
        for (const tally of isNew ? [byUnit, byRequest] : [byRequest]) {
          tally.n[unit.arm] += 1;
          tally.successes[unit.arm] += success;
        }
        if (isNew && all.length % 100 === 0) {
          unitAlarm ||= isAlarm(comparisonOf(byUnit));
          requestAlarm ||= isAlarm(comparisonOf(byRequest));
        }
      }
      return {
        'a unit is one observation: false alarm at some look': unitAlarm,
        'each request is one: false alarm at some look': requestAlarm,
        "each request is one: Welch's interval misses at the end": missesAtTheEnd(byRequest),
      };
    },
  };
}

function comparisonOf({ n, successes }: Tally): ReturnType<typeof compareArms> {
  return compareArms([
    {
      control: sampleOfProportion(n[0], successes[0]),
      variant: sampleOfProportion(n[1], successes[1]),
    },
  ]);
}

function missesAtTheEnd(tally: Tally): boolean {
  const comparison = comparisonOf(tally);
  if (comparison === undefined) return false;
  return (welch(difference(comparison), comparison.degreesOfFreedom, ALPHA)?.p ?? 1) < ALPHA;
}
