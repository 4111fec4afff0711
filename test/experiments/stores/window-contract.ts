import { describe, expect, test } from 'vitest';
import type { CountedMetric } from '../../../experiments/counted-metric.ts';
import type { Outcome } from '../../../experiments/stores/ledger.ts';
import type { StateStore } from '../../../experiments/stores/state-store.ts';
import type { MetricTally, Tallies } from '../../../experiments/stores/tallies.ts';
import {
  BEFORE,
  BOUGHT,
  CLICKS,
  HOUR_MS,
  METRICS,
  REVENUE,
  SCORE,
  SPENT,
  START_MS,
  batch,
  exposure,
  newExperiment,
  outcome,
} from './samples.ts';

/** What every state store does with windows, in which outcomes add up until a unit enters. */
export function windowContract(open: () => StateStore): void {
  const talliesAt = (experiment: string, nowMs: number): Promise<Tallies> =>
    open().tallies(experiment, 1, METRICS, nowMs);
  const metricOf = async (
    experiment: string,
    metric: CountedMetric,
    nowMs: number,
    variant = 'v1',
  ): Promise<MetricTally | undefined> =>
    (await talliesAt(experiment, nowMs)).epochs[0]?.variants[variant]?.metrics[metric.name];

  describe('windows', () => {
    const amount = (name: string, uid: number, x: number, y = 1, changes: Partial<Outcome> = {}): Outcome =>
      outcome(name, {
        uid: uid.toString(16).padStart(16, '0'),
        metric: REVENUE,
        value: { x, y },
        ...changes,
      });

    test('a unit enters when its window has closed, once, with what added up, at most the cap', async () => {
      const name = newExperiment();
      await open().recordExposures(
        batch(name, exposure(name), exposure(name, { unit: 'aaaaaaaa00000002', uid: '0000000000000009' })),
      );
      await open().recordOutcomes([amount(name, 1, 80), amount(name, 2, 40)]);
      expect(await metricOf(name, REVENUE, START_MS + HOUR_MS - 1)).toBeUndefined();
      for (const laterMs of [HOUR_MS, HOUR_MS, 5 * HOUR_MS]) {
        // One unit with 120, which is cut to 100, and one with nothing, which is 0.
        expect(await metricOf(name, REVENUE, START_MS + laterMs)).toMatchObject({
          units: 2,
          sumX: 100,
          sumX2: 10_000,
          sumX3: 1_000_000,
        });
      }
    });

    test('what a unit does within its window counts for its first variant, also after it was moved to another', async () => {
      const name = newExperiment();
      await open().recordExposures(batch(name, exposure(name)));
      const moved = { epoch: 8, variant: 'v2', uid: '0000000000000002' };
      await open().recordExposures(batch(name, exposure(name, moved)));
      expect(await open().recordOutcomes([amount(name, 1, 10), amount(name, 2, 30, 1, moved)])).toEqual([
        'accepted',
        'accepted',
      ]);
      const nowMs = START_MS + HOUR_MS;
      expect(await metricOf(name, REVENUE, nowMs)).toMatchObject({ units: 1, sumX: 40 });
      const tallies = await talliesAt(name, nowMs);
      expect(tallies.epochs.map(({ epoch }) => epoch)).toEqual([7]);
      expect(await metricOf(name, REVENUE, nowMs, 'v2')).toBeUndefined();
    });

    test('many looks at once close each window once', async () => {
      const name = newExperiment();
      const units = Array.from({ length: 50 }, (_, index) =>
        exposure(name, {
          unit: index.toString(16).padStart(16, '0'),
          uid: index.toString(16).padStart(16, '0'),
        }),
      );
      await open().recordExposures(batch(name, ...units));
      await Promise.all(Array.from({ length: 5 }, () => talliesAt(name, START_MS + HOUR_MS)));
      expect(await metricOf(name, BOUGHT, START_MS + HOUR_MS)).toMatchObject({ units: 50, sumX: 0 });
    });

    test('one look closes as many windows as are due', async () => {
      const name = newExperiment();
      const units = Array.from({ length: 1203 }, (_, index) =>
        exposure(name, {
          unit: (index + 1).toString(16).padStart(16, '0'),
          uid: (index + 1).toString(16).padStart(16, '0'),
          windowsMs: [HOUR_MS],
        }),
      );
      await open().recordExposures(batch(name, ...units));
      expect(await metricOf(name, BOUGHT, START_MS + HOUR_MS)).toMatchObject({ units: 1203, sumX: 0 });
    });

    test('a value of a distribution that came in time, and was kept elsewhere while the window closed, enters', async () => {
      const name = newExperiment();
      await open().recordExposures(batch(name, exposure(name)));
      const nowMs = START_MS + 25 * HOUR_MS;
      expect(await metricOf(name, SCORE, nowMs)).toBeUndefined();
      expect(await open().recordOutcomes([amount(name, 1, 3, 1, { metric: SCORE })])).toEqual(['accepted']);
      expect(await metricOf(name, SCORE, nowMs)).toMatchObject({ units: 1, sumX: 3 });
      await open().recordOutcomes([amount(name, 2, 4, 1, { metric: SCORE })]);
      const score = await metricOf(name, SCORE, nowMs);
      expect(score).toMatchObject({ units: 1, sumX: 7 });
      expect(Object.values(score?.histogram.counts ?? {})).toEqual([1]);
    });

    test('a proportion is whether anything happened, a ratio adds both its sides, a quantile needs a value', async () => {
      const name = newExperiment();
      await open().recordExposures(
        batch(name, exposure(name), exposure(name, { unit: 'aaaaaaaa00000002', uid: '0000000000000009' })),
      );
      await open().recordOutcomes([
        amount(name, 1, 1, 1, { metric: BOUGHT }),
        amount(name, 2, 1, 1, { metric: BOUGHT }),
        amount(name, 1, 2, 10, { metric: CLICKS }),
        amount(name, 2, 1, 5, { metric: CLICKS }),
        amount(name, 1, 3, 1, { metric: SCORE }),
      ]);
      const nowMs = START_MS + 24 * HOUR_MS;
      expect(await metricOf(name, BOUGHT, nowMs)).toMatchObject({ units: 2, sumX: 1, sumX2: 1 });
      expect(await metricOf(name, CLICKS, nowMs)).toMatchObject({
        units: 2,
        sumX: 3,
        sumX2: 9,
        sumY: 15,
        sumY2: 225,
        sumY3: 3375,
        sumXY: 45,
        sumX2Y: 135,
        sumXY2: 675,
      });
      const score = await metricOf(name, SCORE, nowMs);
      expect(score).toMatchObject({ units: 1, sumX: 3 });
      expect(Object.values(score?.histogram.counts ?? {})).toEqual([1]);
    });

    test('a covariate stands beside the value that enters, whichever comes first, and only that of the first exposure', async () => {
      for (const covariateFirst of [true, false]) {
        const name = newExperiment();
        await open().recordExposures(batch(name, exposure(name)));
        const before = outcome(name, { metric: BEFORE, value: { x: 3, y: 1 } });
        const own = outcome(name, { metric: SPENT, value: { x: 10, y: 1 } });
        const later = outcome(name, { uid: '0000000000000002', metric: BEFORE, value: { x: 9, y: 1 } });
        await open().recordOutcomes(covariateFirst ? [before, own, later] : [own, later, before]);
        const squares = { units: 1, sumX: 10, sumY: 3, sumY2: 9, sumXY: 30 };
        const both = { ...squares, sumY3: 27, sumX2Y: 300, sumXY2: 90 };
        expect(await metricOf(name, SPENT, START_MS)).toMatchObject(both);
        expect(await open().recordOutcomes([before])).toEqual(['duplicate']);
        expect(await metricOf(name, SPENT, START_MS)).toMatchObject(both);
      }
    });

    test('an outcome after the window is late: shown, not tested', async () => {
      const name = newExperiment();
      await open().recordExposures(batch(name, exposure(name)));
      const late = amount(name, 2, 7, 1, { receivedMs: START_MS + HOUR_MS + 1 });
      expect(await open().recordOutcomes([late])).toEqual(['accepted']);
      const nowMs = START_MS + 2 * HOUR_MS;
      expect(await metricOf(name, REVENUE, nowMs)).toMatchObject({ units: 1, sumX: 0 });
      expect((await talliesAt(name, nowMs)).untested.v1?.revenue?.late).toBe(1);
    });

    test('an outcome that came in time and was kept elsewhere while the window closed takes its place', async () => {
      const name = newExperiment();
      await open().recordExposures(batch(name, exposure(name)));
      await open().recordOutcomes([amount(name, 1, 10)]);
      const nowMs = START_MS + 2 * HOUR_MS;
      expect(await metricOf(name, REVENUE, nowMs)).toMatchObject({ units: 1, sumX: 10, sumX2: 100 });
      await open().recordOutcomes([amount(name, 2, 5)]);
      expect(await metricOf(name, REVENUE, nowMs)).toMatchObject({ units: 1, sumX: 15, sumX2: 225 });
    });
  });
}
