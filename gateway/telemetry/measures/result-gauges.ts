import type { MetricResult } from '../../../experiments/statistics/analysis/results.ts';
import type { Reading } from '../../results/results-reader.ts';
import { ReadFamily } from '../exposition/read-family.ts';
import type { Sample } from '../exposition/read-family.ts';
import type { Family } from '../exposition/format.ts';

/**
 * What experiments say, as `signalbox results` has it. Every replica reads it from the state store, so all tell the same.
 *
 * @param read the last reading of each experiment that is under way
 */
export function resultFamilies(read: () => readonly Reading[]): readonly Family[] {
  return [
    ReadFamily.gauge('signalbox_srm_p_value', 'The always-valid p-value of the sample ratio.', () =>
      read().map(({ experiment: { key }, results }) => [{ experiment: key }, results.health.srm.p]),
    ),
    ReadFamily.gauge(
      'signalbox_metric_estimate',
      "A variant's value of a metric, on the metric's own scale.",
      () => read().flatMap(estimatesOf),
    ),
    ReadFamily.gauge(
      'signalbox_metric_lift',
      "A variant's lift over control as a share of control's value: its estimate, and the ends of its always-valid interval.",
      () => read().flatMap(liftsOf),
    ),
  ];
}

/** The experiment's own, and what the gateway measures by itself, unless one of its own has the same name. */
function metricsOf({ results: { metrics, builtIn } }: Reading): readonly MetricResult[] {
  const own = new Set(metrics.map(({ name }) => name));
  return [...metrics, ...builtIn.filter(({ name }) => !own.has(name))];
}

/** Control's value stands beside each variant's; of one metric it is told once. */
function estimatesOf(reading: Reading): readonly Sample[] {
  const { key, control } = reading.experiment;
  const told = new Set<string>();
  return metricsOf(reading).flatMap(({ name: metric, variant, estimate, control: ofControl }) => {
    const samples: Sample[] = [[{ experiment: key, variant, metric }, estimate]];
    if (!told.has(metric)) samples.unshift([{ experiment: key, variant: control.name, metric }, ofControl]);
    told.add(metric);
    return samples;
  });
}

function liftsOf(reading: Reading): readonly Sample[] {
  const { key: experiment } = reading.experiment;
  return metricsOf(reading).flatMap(({ name: metric, variant, lift, anytime: { interval } }) => {
    const [low = null, high = null] = interval ?? [];
    return Object.entries({ estimate: lift, low, high }).flatMap(([bound, value]): readonly Sample[] =>
      value === null ? [] : [[{ experiment, variant, metric, bound }, value]],
    );
  });
}
