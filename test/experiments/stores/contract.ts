import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CountedMetric } from '../../../experiments/counted-metric.ts';
import type { StateStore } from '../../../experiments/stores/state-store.ts';
import type { EpochTally, MetricTally, Tallies } from '../../../experiments/stores/tallies.ts';
import {
  CORRECT,
  HOUR_MS,
  METRICS,
  REVENUE,
  SPENT,
  START_MS,
  batch,
  exposure,
  newExperiment,
  outcome,
} from './samples.ts';
import { documentContract } from './document-contract.ts';
import { mirrorContract } from './mirror-contract.ts';
import { windowContract } from './window-contract.ts';
import { eventuallyHolds } from '../../eventually-holds.ts';

/** What every state store does, whichever it is. */
export function stateStoreContract(open: () => Promise<StateStore>): void {
  let store: StateStore;
  beforeAll(async () => {
    store = await open();
  });
  afterAll(() => store.close());

  const talliesAt = (experiment: string, nowMs: number): Promise<Tallies> =>
    store.tallies(experiment, 1, METRICS, nowMs);
  const epochOf = async (experiment: string, nowMs = START_MS): Promise<EpochTally | undefined> =>
    (await talliesAt(experiment, nowMs)).epochs[0];
  const metricOf = async (
    experiment: string,
    metric: CountedMetric,
    nowMs: number,
    variant = 'v1',
  ): Promise<MetricTally | undefined> =>
    (await epochOf(experiment, nowMs))?.variants[variant]?.metrics[metric.name];

  describe('where units of sticky experiments landed', () => {
    const BOTH = ['v1', 'v2'];

    test('a unit lands once, and is told so ever after, whatever it would be given now', async () => {
      const scope = { experiment: newExperiment(), phase: 1 };
      const unit = 0xffff_fffe;
      expect(await store.land(scope, unit, 'v2', BOTH)).toEqual({ variant: 'v2', isNew: true });
      expect(await store.land(scope, unit, 'v1', BOTH)).toEqual({ variant: 'v2', isNew: false });
      expect(await store.land(scope, unit, 'v2', BOTH)).toEqual({ variant: 'v2', isNew: false });
    });

    test('experiments, phases and units are apart', async () => {
      const experiment = newExperiment();
      await store.land({ experiment, phase: 1 }, 7, 'v2', BOTH);
      for (const [scope, unit] of [
        [{ experiment: newExperiment(), phase: 1 }, 7],
        [{ experiment, phase: 2 }, 7],
        [{ experiment, phase: 1 }, 8],
      ] as const)
        expect(await store.land(scope, unit, 'v1', BOTH)).toEqual({ variant: 'v1', isNew: true });
    });

    test('a variant that keeps nobody lets its units go, for good', async () => {
      const scope = { experiment: newExperiment(), phase: 1 };
      await store.land(scope, 7, 'v2', BOTH);
      expect(await store.land(scope, 7, 'v1', ['v1'])).toEqual({ variant: 'v1', isNew: true });
      expect(await store.land(scope, 7, 'v2', BOTH)).toEqual({ variant: 'v1', isNew: false });
    });

    test('who only asks is told where a unit landed, and none lands by it', async () => {
      const scope = { experiment: newExperiment(), phase: 1 };
      const unit = 0xffff_fffe;
      expect(await store.landing(scope, unit)).toBeUndefined();
      expect(await store.land(scope, unit, 'v2', BOTH)).toEqual({ variant: 'v2', isNew: true });
      expect(await store.landing(scope, unit)).toBe('v2');
      expect(await store.landing({ ...scope, phase: 2 }, unit)).toBeUndefined();
    });

    test('of many who ask at once one is first, and all are told the same', async () => {
      const scope = { experiment: newExperiment(), phase: 1 };
      const variants = Array.from({ length: 20 }, (_, index) => `v${index}`);
      const told = await Promise.all(variants.map((variant) => store.land(scope, 7, variant, variants)));
      expect(told.filter(({ isNew }) => isNew)).toHaveLength(1);
      expect(new Set(told.map(({ variant }) => variant)).size).toBe(1);
    });
  });

  documentContract(() => store);

  test('a claim is given once until its time has passed', async () => {
    const key = newExperiment();
    const asked = await Promise.all(Array.from({ length: 10 }, () => store.claim(key, 60_000)));
    expect(asked.filter(Boolean)).toHaveLength(1);
    const short = newExperiment();
    expect(await store.claim(short, 50)).toBe(true);
    await eventuallyHolds(async () => {
      expect(await store.claim(short, 60_000)).toBe(true);
    });
    expect(await store.claim(short, 60_000)).toBe(false);
  });

  test('the audit log is read in the order in which it was written', async () => {
    const who = newExperiment();
    const first = await store.appendAudit({ who, what: 'promote' });
    expect(await store.appendAudit({ who, what: 'rollback' })).toBe(first + 1);
    expect(await store.readAudit(first - 1, 10)).toEqual([
      { sequence: first, entry: { who, what: 'promote' } },
      { sequence: first + 1, entry: { who, what: 'rollback' } },
    ]);
    expect(await store.readAudit(first - 1, 1)).toHaveLength(1);
  });

  describe('exposures', () => {
    test('a unit enters once in a phase, by its first exposure, with its day and key', async () => {
      const name = newExperiment();
      await store.recordExposures(
        batch(
          name,
          exposure(name, { keyId: 'shop', category: 'cat', values: { error_rate: 0, latency: 12 } }),
          exposure(name, { uid: '0000000000000002', values: { error_rate: 1, latency: 90 } }),
        ),
      );
      await store.recordExposures(batch(name, exposure(name, { uid: '0000000000000003', epoch: 8 })));
      const tallies = await talliesAt(name, START_MS);
      expect(tallies.epochs).toHaveLength(1);
      const [epoch] = tallies.epochs;
      expect(epoch?.split).toEqual({ seed: 'digits-cnn', coverage: 1, weights: { v1: 90, v2: 10 } });
      const v1 = epoch?.variants.v1;
      expect(v1).toMatchObject({
        units: 1,
        unitsByDay: { '2026-11-22': 1 },
        unitsByKey: { shop: 1 },
        switched: 0,
        outputs: { cat: 1 },
      });
      expect(v1?.metrics.error_rate).toMatchObject({ units: 1, sumX: 0 });
      expect(v1?.metrics.latency).toMatchObject({ units: 1, sumX: 12, sumX2: 144 });
      expect(Object.values(v1?.metrics.latency?.histogram.counts ?? {})).toEqual([1]);
    });

    test('a unit that changes its variant stays where it entered, and is marked once', async () => {
      const name = newExperiment();
      await store.recordExposures(batch(name, exposure(name)));
      const moved = exposure(name, { epoch: 8, variant: 'v2', uid: '0000000000000002' });
      await store.recordExposures(batch(name, moved, { ...moved, uid: '0000000000000003' }));
      const tallies = await talliesAt(name, START_MS);
      expect(tallies.epochs.map(({ epoch, variants }) => [epoch, Object.keys(variants)])).toEqual([
        [7, ['v1']],
      ]);
      expect(tallies.epochs[0]?.variants.v1).toMatchObject({ units: 1, switched: 1 });
    });

    test('requests are added up, those without a unit and those that do not count apart', async () => {
      const name = newExperiment();
      const requests = {
        experiment: name,
        phase: 1,
        epoch: 7,
        variant: 'v1',
        requests: 5,
        unitlessRequests: 2,
        errors: 1,
        uncounted: { override: 3 },
        models: { a: 4, b: 1 },
      };
      await store.recordExposures({ epochs: [], requests: [requests, requests], units: [] });
      expect((await epochOf(name))?.variants.v1).toMatchObject({
        units: 0,
        requests: 10,
        unitlessRequests: 4,
        errors: 2,
        uncounted: { override: 6 },
        models: { a: 8, b: 2 },
      });
    });

    test('phases and experiments are apart', async () => {
      const [name, other] = [newExperiment(), newExperiment()];
      await store.recordExposures(batch(name, exposure(name), exposure(name, { phase: 2 })));
      expect((await store.tallies(name, 2, METRICS, START_MS)).epochs[0]?.variants.v1?.units).toBe(1);
      expect((await talliesAt(other, START_MS)).epochs).toEqual([]);
    });
  });

  describe('outcomes', () => {
    test('an outcome counts once for its prediction and metric, whoever sends it again and whenever', async () => {
      const name = newExperiment();
      await store.recordExposures(batch(name, exposure(name)));
      const one = outcome(name);
      expect(await store.recordOutcomes([one, one])).toEqual(['accepted', 'duplicate']);
      const again = await Promise.all(Array.from({ length: 5 }, () => store.recordOutcomes([one])));
      expect(again.flat()).toEqual(Array(5).fill('duplicate'));
      expect(await metricOf(name, CORRECT, START_MS)).toMatchObject({ units: 1, sumX: 1, sumX2: 1 });
      expect((await talliesAt(name, START_MS)).untested.v1?.correct?.duplicate).toBe(6);
    });

    test('outcomes of one unit that come at the same moment are all counted, each once', async () => {
      const name = newExperiment();
      const uids = Array.from({ length: 30 }, (_, index) => index.toString(16).padStart(16, '0'));
      await store.recordExposures(batch(name, exposure(name, { uid: uids[0] ?? '' })));
      const statuses = await Promise.all(
        [...uids, ...uids].map((uid) =>
          store.recordOutcomes([outcome(name, { uid, metric: REVENUE, value: { x: 1, y: 1 } })]),
        ),
      );
      expect(statuses.flat().filter((status) => status === 'accepted')).toHaveLength(30);
      expect(statuses.flat().filter((status) => status === 'duplicate')).toHaveLength(30);
      expect(await metricOf(name, REVENUE, START_MS + 2 * HOUR_MS)).toMatchObject({ units: 1, sumX: 30 });
    });

    test('without a window the first exposure gives the unit its value; later ones are shown, not tested', async () => {
      const name = newExperiment();
      await store.recordExposures(batch(name, exposure(name)));
      const later = outcome(name, { uid: '0000000000000002', value: { x: 0, y: 1 } });
      expect(await store.recordOutcomes([later, outcome(name)])).toEqual(['accepted', 'accepted']);
      expect(await metricOf(name, CORRECT, START_MS)).toMatchObject({ units: 1, sumX: 1 });
      expect((await talliesAt(name, START_MS)).untested.v1?.correct).toMatchObject({
        later: 1,
        laterSumX: 0,
      });
    });

    test('a receipt enters its unit where the exposure was lost, and an exposure that comes after adds what it knows', async () => {
      const name = newExperiment();
      expect(await store.recordOutcomes([outcome(name)])).toEqual(['accepted']);
      expect((await epochOf(name))?.variants.v1).toMatchObject({ units: 1 });
      const late = exposure(name, { values: { latency: 5 } });
      await store.recordExposures(batch(name, late, late));
      const v1 = (await epochOf(name))?.variants.v1;
      expect(v1?.units).toBe(1);
      expect(v1?.metrics.latency).toMatchObject({ units: 1, sumX: 5 });
      expect(v1?.metrics.correct).toMatchObject({ units: 1, sumX: 1 });
    });

    test('an outcome of a variant that its unit had not first is not counted', async () => {
      const name = newExperiment();
      await store.recordExposures(batch(name, exposure(name)));
      const other = outcome(name, { variant: 'v2', epoch: 8, uid: '0000000000000002' });
      expect(await store.recordOutcomes([other])).toEqual(['not_counted']);
      expect(await store.recordOutcomes([other])).toEqual(['duplicate']);
      const tallies = await talliesAt(name, START_MS);
      expect(tallies.epochs[0]?.variants.v2).toBeUndefined();
      expect(tallies.untested.v2?.correct?.switched).toBe(1);
    });

    test('the same outcome of a first prediction is a duplicate, however long it was remembered', async () => {
      const name = newExperiment();
      await store.recordExposures(batch(name, exposure(name)));
      const one = outcome(name, { expiresMs: START_MS + 1001 });
      expect(await store.recordOutcomes([one])).toEqual(['accepted']);
      const again = {
        ...one,
        receivedMs: START_MS + 8 * 24 * HOUR_MS,
        expiresMs: START_MS + 30 * 24 * HOUR_MS,
      };
      for (let turn = 0; turn < 3; turn += 1)
        expect(await store.recordOutcomes([again])).toEqual(['duplicate']);
      expect(await metricOf(name, CORRECT, START_MS)).toMatchObject({ units: 1, sumX: 1 });
    });

    test('very small values add up as doubles do: their cubes too', async () => {
      const experiment = newExperiment();
      const values = [1e-9, 2.5e-9, 4e-9];
      await store.recordOutcomes(
        values.map((x, index) =>
          outcome(experiment, {
            unit: `aaaaaaaa0000000${index}`,
            uid: `000000000000000${index}`,
            metric: SPENT,
            value: { x, y: 1 },
          }),
        ),
      );
      const spent = (await epochOf(experiment))?.variants.v1?.metrics.spent;
      const sum = (power: number): number => values.reduce((total, x) => total + x ** power, 0);
      expect((spent?.sumX ?? 0) / sum(1)).toBeCloseTo(1, 12);
      expect((spent?.sumX2 ?? 0) / sum(2)).toBeCloseTo(1, 12);
      expect((spent?.sumX3 ?? 0) / sum(3)).toBeCloseTo(1, 12);
    });

    test('an outcome of a request without a unit is shown, not tested', async () => {
      const name = newExperiment();
      const unitless = outcome(name, { unit: undefined });
      expect(await store.recordOutcomes([unitless, unitless])).toEqual(['accepted', 'duplicate']);
      const tallies = await talliesAt(name, START_MS);
      expect(tallies.epochs).toEqual([]);
      expect(tallies.untested.v1?.correct).toMatchObject({ unitless: 1, unitlessSumX: 1, duplicate: 1 });
    });
  });

  mirrorContract(() => store);
  windowContract(() => store);
}
