import { chiSquareSampleRatio, sequentialSampleRatio } from '../../experiments/statistics/sample-ratio.ts';
import type { AssignmentCounts } from '../../experiments/statistics/sample-ratio.ts';
import type { Scenario } from './scenario.ts';

type Event =
  | 'the sequential test alarms at some look (p < 0.001)'
  | 'the chi-square test alarms at the end (p < 0.001)'
  | 'the chi-square test alarms at some look (p < 0.001)';

/**
 * Assignments that are as they should be, looked at after every 100 units.
 *
 * @param epochs units and the share of the second variant
 */
export function sampleRatioScenario(
  name: string,
  epochs: readonly { readonly units: number; readonly share: number }[],
): Scenario<Event> {
  return {
    name: `sample ratio, ${name}`,
    claims: {
      'the sequential test alarms at some look (p < 0.001)': { kind: 'at most', rate: 0.001 },
      'the chi-square test alarms at the end (p < 0.001)': { kind: 'equals', rate: 0.001 },
      'the chi-square test alarms at some look (p < 0.001)': { kind: 'contrast' },
    },
    run(random) {
      const counts: AssignmentCounts[] = [];
      let [sequential, chiSquare, atTheEnd] = [false, false, false];
      for (const { units, share } of epochs) {
        const before = counts.length;
        const weights = { v1: 1 - share, v2: share };
        let second = 0;
        for (let unit = 1; unit <= units; unit += 1) {
          if (random() < share) second += 1;
          if (unit % 100 !== 0) continue;
          counts[before] = { weights, units: { v1: unit - second, v2: second } };
          sequential ||= sequentialSampleRatio(counts).p < 0.001;
          atTheEnd = chiSquareSampleRatio(counts).p < 0.001;
          chiSquare ||= atTheEnd;
        }
      }
      return {
        'the sequential test alarms at some look (p < 0.001)': sequential,
        'the chi-square test alarms at the end (p < 0.001)': atTheEnd,
        'the chi-square test alarms at some look (p < 0.001)': chiSquare,
      };
    },
  };
}

/** @param units of each experiment */
export function sampleRatioScenarios(units: number): readonly Scenario[] {
  return [
    sampleRatioScenario('50/50', [{ units, share: 0.5 }]),
    sampleRatioScenario('90/10', [{ units, share: 0.1 }]),
    sampleRatioScenario('95/5 then 75/25 then 50/50', [
      { units: units * 0.3, share: 0.05 },
      { units: units * 0.3, share: 0.25 },
      { units: units * 0.4, share: 0.5 },
    ]),
  ];
}

/** How soon a true mismatch is found: the share of experiments in which it is, by this many units. */
export function mismatchFound(units: number, intended: number, actual: number): Scenario<'found'> {
  return {
    name: `sample ratio of ${100 * intended} % that is ${100 * actual} %, by ${units} units`,
    claims: { found: { kind: 'contrast' } },
    run(random) {
      let second = 0;
      for (let unit = 1; unit <= units; unit += 1) {
        if (random() < actual) second += 1;
        if (unit % 100 !== 0) continue;
        const counts = [
          { weights: { v1: 1 - intended, v2: intended }, units: { v1: unit - second, v2: second } },
        ];
        if (sequentialSampleRatio(counts).p < 0.001) return { found: true };
      }
      return { found: false };
    },
  };
}
