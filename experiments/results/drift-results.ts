import type { MetricDefinition } from '../metric-definition.ts';
import { NO_FORECAST } from '../statistics/analysis/forecast.ts';
import { DEFAULT_SETTINGS } from '../statistics/analysis/input.ts';
import type { MetricResult, VariantResult } from '../statistics/analysis/results.ts';

/**
 * Metrics whose source is drift, as results: the population stability index of each variant's answers against the control's. It is a
 * size of the whole variant, so there is nothing to test, and it decides nothing.
 */
export function driftResults(
  metrics: readonly MetricDefinition[],
  control: string,
  variants: readonly VariantResult[],
): readonly MetricResult[] {
  const ofControl = variants.find(({ name }) => name === control)?.units ?? 0;
  return metrics.flatMap((metric) => {
    if (!('source' in metric) || metric.source !== 'drift') return [];
    return variants.flatMap(({ name: variant, drift, units }) =>
      variant === control || drift === null
        ? []
        : [
            {
              name: metric.name,
              role: metric.role,
              variant,
              estimate: drift.psi,
              control: 0,
              units: ofControl + units,
              lift: null,
              alpha: DEFAULT_SETTINGS.alpha,
              welch: null,
              welchP: 1,
              anytime: { interval: null, p: 1 },
              difference: null,
              adjustedP: 1,
              outcome: 'open' as const,
              chanceToWin: null,
              expectedLoss: null,
              varianceReduction: null,
              power: NO_FORECAST,
            },
          ],
    );
  });
}
