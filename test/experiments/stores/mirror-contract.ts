import { describe, expect, test } from 'vitest';
import { mirrorField } from '../../../experiments/mirror/mirror-fields.ts';
import type { MirrorBatch } from '../../../experiments/mirror/mirror-fields.ts';
import { MirrorSums } from '../../../experiments/mirror/mirror-sums.ts';
import type { StateStore } from '../../../experiments/stores/state-store.ts';
import { METRICS, START_MS, newExperiment } from './samples.ts';

/** What every state store does with what mirrors show. */
export function mirrorContract(store: () => StateStore): void {
  describe('mirrors', () => {
    const record = (experiment: string, phase = 1): Promise<void> => {
      const sums = new MirrorSums({ experiment, phase });
      const labels = [{ answered: '4', mirrored: '9' }];
      sums.add(
        { variant: 'v1', mirror: 'v2' },
        {
          isOtherShape: false,
          nonFinite: { answered: false, mirrored: true },
          labels,
          categories: labels,
          difference: { elements: 2, sum: 1.5, largest: 1e-7 + phase },
          cosines: [0.5],
        },
        { isFirstOfUnit: true, computeMs: { variant: 1, mirror: undefined } },
      );
      return store().recordMirrors(sums.take());
    };

    test('are added up, and of the largest the largest stays', async () => {
      const name = newExperiment();
      expect(await store().mirrors(name, 1)).toEqual([]);
      await Promise.all(Array.from({ length: 20 }, () => record(name)));
      const low: MirrorBatch = {
        experiment: name,
        phase: 1,
        sums: [],
        maxima: [[mirrorField(['largest', 'v1', 'v2', 'difference']), 0.25]],
      };
      await store().recordMirrors(low);
      expect(await store().mirrors(name, 1)).toEqual([
        expect.objectContaining({
          variant: 'v1',
          mirror: 'v2',
          counts: expect.objectContaining({
            compared: 20,
            labelled: 20,
            same: 0,
            units: 20,
            agreeing: 0,
            nonFiniteVariant: 0,
            nonFiniteMirror: 20,
            elements: 40,
            sumDifference: 30,
            sumCosine: 10,
          }) as object,
          flips: [{ from: '4', to: '9', rows: 20 }],
          categories: { variant: { 4: 20 }, mirror: { 9: 20 } },
          largestDifference: 1 + 1e-7,
          largestCosineGap: 0.5,
        }) as object,
      ]);
    });

    test('of phases are apart, and apart from what is tested', async () => {
      const name = newExperiment();
      await record(name, 2);
      expect(await store().mirrors(name, 1)).toEqual([]);
      expect((await store().mirrors(name, 2))[0]?.counts.compared).toBe(1);
      expect((await store().tallies(name, 2, METRICS, START_MS)).epochs).toEqual([]);
    });
  });
}
