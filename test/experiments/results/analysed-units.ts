import { parseYaml } from '../../../documents/yaml-document.ts';
import { countedMetrics } from '../../../experiments/counted-metric.ts';
import { readExperiment } from '../../../experiments/definition.ts';
import type { Experiment } from '../../../experiments/definition.ts';
import { epochOf } from '../../../experiments/epoch.ts';
import { experimentResults } from '../../../experiments/results/experiment-results.ts';
import { windowsOf } from '../../../experiments/stores/ledger.ts';
import type { Outcome, UnitExposure } from '../../../experiments/stores/ledger.ts';
import { MemoryStore } from '../../../experiments/stores/memory/memory-store.ts';

export const START_MS = Date.UTC(2026, 10, 20, 12);
export const DAY_MS = 86_400_000;

/** An experiment of two versions with equal weights. @param fields further lines of its file */
export function experimentWith(fields: string): Experiment {
  const text =
    'key: digits\nmodel: digits\nstatus: running\ncontrol: v1\n' +
    `variants: [{ name: v1, version: 1, weight: 1 }, { name: v2, version: 2, weight: 1 }]\n${fields}\n`;
  return readExperiment(parseYaml(text, 'digits.yaml'), undefined);
}

/** What one unit did. */
export interface Unit {
  readonly variant: string;
  readonly outcomes?: Readonly<Record<string, number | readonly [x: number, y: number]>>;
  readonly values?: Readonly<Record<string, number>>;
  readonly category?: string;
  readonly atMs?: number;
}

/** Brings units through a real store, and analyses what it has of them. */
export async function resultsOf(experiment: Experiment, units: readonly Unit[], nowMs = START_MS) {
  const store = new MemoryStore();
  const metrics = countedMetrics(experiment.metrics);
  const { key, phase } = experiment;
  const split = epochOf(experiment);
  const exposures = units.map(({ variant, values = {}, category, atMs = START_MS }, index): UnitExposure => {
    const unit = index.toString(16).padStart(16, '0');
    const windowsMs = windowsOf(metrics);
    return {
      experiment: key,
      phase,
      epoch: split.epoch,
      variant,
      unit,
      uid: unit,
      atMs,
      keyId: '',
      values,
      ...(category !== undefined && { category }),
      windowsMs,
    };
  });
  const ofVariant = (variant: string) => units.filter((unit) => unit.variant === variant).length;
  await store.recordExposures({
    epochs: [{ experiment: key, phase, ...split }],
    requests: ['v1', 'v2'].map((variant) => ({
      ...{ experiment: key, phase, epoch: split.epoch, variant, requests: ofVariant(variant) },
      ...{ unitlessRequests: 0, errors: 0, uncounted: { override: 1 }, models: {} },
    })),
    units: exposures,
  });
  const outcomes = exposures.flatMap((exposure, index) =>
    Object.entries(units[index]?.outcomes ?? {}).flatMap(([name, value]): readonly Outcome[] => {
      const metric = metrics.find((known) => known.name === name);
      const [x, y] = typeof value === 'number' ? [value, 1] : value;
      const times = { issuedMs: exposure.atMs, receivedMs: exposure.atMs, expiresMs: exposure.atMs + DAY_MS };
      return metric === undefined ? [] : [{ ...exposure, ...times, metric, value: { x, y } }];
    }),
  );
  await store.recordOutcomes(outcomes);
  return experimentResults(experiment, await store.tallies(key, phase, metrics, nowMs), nowMs);
}

/** As many units of each variant, with what `of` says of the i-th. */
export function both(
  count: number,
  of: (index: number, variant: string) => Omit<Unit, 'variant'>,
): readonly Unit[] {
  return ['v1', 'v2'].flatMap((variant) =>
    Array.from({ length: count }, (_, index) => ({ variant, ...of(index, variant) })),
  );
}

/** A goal that units have or don't have. */
export const CORRECT = 'metrics: [{ name: correct, kind: proportion, role: goal }]';
