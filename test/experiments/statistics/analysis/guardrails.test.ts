import { describe, expect, test } from 'vitest';
import { analyse } from '../../../../experiments/statistics/analysis/analyse.ts';
import type { AnalysisInput, MetricPlan } from '../../../../experiments/statistics/analysis/input.ts';
import type { MetricResult, Results } from '../../../../experiments/statistics/analysis/results.ts';
import type { MetricState } from '../../../../experiments/statistics/states/metric-state.ts';
import { ACCEPTED, arm, epoch, ERRORS, inputOf, latencies, P99, proportion } from './sample-input.ts';

function metricOf(results: Results, name = 'accepted', variant = 'v2'): MetricResult {
  return (
    results.metrics.find((metric) => metric.name === name && metric.variant === variant) ??
    expect.fail(`no metric ${name} of ${variant}`)
  );
}

describe('guardrails', () => {
  const withErrors = (control: number, variant: number): AnalysisInput => ({
    ...inputOf([
      {
        weights: { v1: 1, v2: 1 },
        variants: {
          v1: arm(20_000, { accepted: proportion(20_000, 0.1), errors: proportion(20_000, control) }),
          v2: arm(20_000, { accepted: proportion(20_000, 0.13), errors: proportion(20_000, variant) }),
        },
      },
    ]),
    metrics: [ACCEPTED, ERRORS],
  });

  test('stop a variant whose goal is better', () => {
    expect(analyse(withErrors(0.01, 0.01)).verdict).toBe('ship v2');
    expect(analyse(withErrors(0.01, 0.02)).verdict).toBe('keep v1');
  });

  test('put up with their margin', () => {
    const verdictAt = (margin: number): string =>
      analyse({ ...withErrors(0.01, 0.015), metrics: [ACCEPTED, { ...ERRORS, margin }] }).verdict;
    expect(verdictAt(0)).toBe('keep v1');
    expect(verdictAt(1)).toBe('ship v2');
  });

  test.each([0, 1, 5])(
    'stop a variant whose errors were unheard of: %d of 20,000 under control',
    (errors) => {
      const guarded = {
        ...withErrors(errors / 20_000, 0.2),
        metrics: [ACCEPTED, { ...ERRORS, margin: 0.1 }],
      };
      const results = analyse(guarded);
      expect(metricOf(results, 'errors').outcome).toBe('worse');
      expect(results.verdict).toBe('keep v1');
    },
  );

  test('fall where all succeeded under control, and a tenth of less is put up with', () => {
    const metrics: readonly MetricPlan[] = [
      ACCEPTED,
      { ...ERRORS, direction: 'increase' as const, margin: 0.1 },
    ];
    expect(analyse({ ...withErrors(1, 0.95), metrics }).verdict).toBe('ship v2');
    expect(analyse({ ...withErrors(1, 0.85), metrics }).verdict).toBe('keep v1');
  });

  test('are worse where all of the interval of the lift is beyond the margin, wherever there is one', () => {
    const counts = new Map<string, number>();
    for (const direction of ['increase', 'decrease'] as const)
      for (const sign of [1, -1])
        for (let change = -0.6; change <= 0.6; change += 0.02) {
          const mean = (value: number): MetricState => ({
            kind: 'mean',
            moments: { n: 2000, mean: value, m2: 2000 * 9, m3: 0 },
          });
          const variants = {
            v1: arm(2000, { value: mean(sign) }),
            v2: arm(2000, { value: mean(sign + change) }),
          };
          const metrics: readonly MetricPlan[] = [
            { name: 'value', role: 'guardrail', direction, type: 'mean', margin: 0.1 },
          ];
          const results = analyse(inputOf([{ weights: { v1: 1, v2: 1 }, variants }], { metrics }));
          const { anytime, outcome } = metricOf(results, 'value');
          const [low, high] = [anytime.interval?.[0] ?? Number.NaN, anytime.interval?.[1] ?? Number.NaN];
          const isBeyond = direction === 'increase' ? high < -0.1 : low > 0.1;
          expect(outcome === 'worse', `${direction} ${sign} ${change}`).toBe(isBeyond);
          counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
        }
    expect([...counts.values()].every((count) => count > 5)).toBe(true);
  });

  test('stop a variant whose p99 is worse', () => {
    const withLatency = (variantSeconds: number): string =>
      analyse({
        ...inputOf([
          {
            weights: { v1: 1, v2: 1 },
            variants: {
              v1: arm(20_000, { accepted: proportion(20_000, 0.1), 'latency-p99': latencies(20_000, 0.01) }),
              v2: arm(20_000, {
                accepted: proportion(20_000, 0.13),
                'latency-p99': latencies(20_000, variantSeconds, 2),
              }),
            },
          },
        ]),
        metrics: [ACCEPTED, P99],
      }).verdict;
    expect(withLatency(0.0105)).toBe('ship v2');
    expect(withLatency(0.014)).toBe('keep v1');
  });

  test('hold back a variant while nothing is known of one of them, and say which', () => {
    const metrics = [ACCEPTED, ERRORS];
    const better = epoch(20_000, 0.1, 0.13);
    expect(analyse(inputOf([better], { metrics })).decision).toEqual({
      kind: 'keep_running',
      unitsToGo: null,
      unknownGuardrails: ['errors'],
    });
    expect(analyse(inputOf([better], { metrics })).verdict).toBe(
      'keep running (nothing is known of guardrail errors)',
    );
    expect(analyse(inputOf([better], { unfit: [{ name: 'odd', role: 'guardrail' }] })).verdict).toBe(
      'keep running (nothing is known of guardrail odd)',
    );
    expect(analyse(inputOf([epoch(20_000, 0.13, 0.1)], { metrics })).verdict).toBe('keep v1');
  });

  test('split their error budget over guardrails and variants', () => {
    const results = analyse(withErrors(0.01, 0.01));
    expect(metricOf(results, 'errors').alpha).toBe(0.05);
    const four = analyse({
      ...inputOf([epoch(1000, 0.1, 0.1)]),
      metrics: [1, 2, 3, 4].map((i) => ({
        ...ACCEPTED,
        name: i === 1 ? 'accepted' : `g${i}`,
        role: 'guardrail' as const,
      })),
    });
    expect(metricOf(four).alpha).toBe(0.0125);
  });
});
