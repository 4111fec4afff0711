import type { AllocationResult } from '../../experiments/results/allocation-result.ts';
import type { PublishedResults } from '../../experiments/results/experiment-results.ts';
import type { KnownInterval, MetricResult } from '../../experiments/statistics/analysis/results.ts';
import { isRecord } from './admin-client.ts';
import { intervalPlot, signedPercent } from './interval-plot.ts';
import { mirrorLines } from './mirror-report.ts';
import { figure, percent, textTable } from './text-table.ts';
import { ownValue } from '../../experiments/named-values.ts';

/** Whether an answer is an experiment's results, as far as a report looks. */
export function isResults(answer: unknown): answer is PublishedResults {
  return (
    isRecord(answer) &&
    typeof answer.verdict === 'string' &&
    isRecord(answer.health) &&
    [
      answer.variants,
      answer.metrics,
      answer.builtIn,
      answer.thresholds,
      answer.leftOut,
      answer.mirrors,
    ].every(Array.isArray)
  );
}

/** For a terminal: the verdict, the variants, the metrics with their intervals, and whether all that may be believed. */
export function resultsText(results: PublishedResults): string {
  const { experiment, phase, verdict, variants, metrics, builtIn, leftOut, mirrors, allocation } = results;
  const shown =
    metrics.length > 0 ? ['', ...metricTable(metrics), ...plot(metrics)] : ['', 'no metric has outcomes yet'];
  const measured = builtIn.length > 0 ? ['', 'measured by the gateway:', ...metricTable(builtIn)] : [];
  return [
    `${experiment}, phase ${phase}: ${verdict}`,
    '',
    ...textTable(
      ['variant', 'units', 'requests'],
      variants.map(({ name, units, exposures }) => [name, String(units), String(exposures)]),
    ),
    ...shown,
    ...measured,
    ...mirrors.flatMap(mirrorLines),
    ...(allocation === null ? [] : ['', ...allocationLines(allocation)]),
    '',
    ...thresholdLines(results),
    ...healthLines(results),
    ...leftOut.map(({ metric, reason }) => `${metric} is not analysed: ${reason}`),
    '',
  ].join('\n');
}

function allocationLines({ metric, weights, note }: AllocationResult): readonly string[] {
  const shares = Object.entries(weights).map(([variant, weight]) => `${variant} ${weight}`);
  return [`bandit on ${metric}: weights ${shares.join(', ')}`, `  ${note}`];
}

function metricTable(metrics: readonly MetricResult[]): readonly string[] {
  return textTable(
    [
      'metric',
      'role',
      'variant',
      'control',
      'estimate',
      'lift',
      'always-valid interval',
      'p',
      'chance to win',
      'would find',
      'days to go',
      '',
    ],
    metrics.map((metric) => [
      metric.name,
      metric.role,
      metric.variant,
      figure(metric.control),
      figure(metric.estimate),
      metric.lift === null ? '-' : signedPercent(metric.lift),
      intervalText(metric.anytime.interval),
      metric.adjustedP.toPrecision(2),
      metric.chanceToWin === null ? '-' : percent(metric.chanceToWin),
      metric.power.minimumDetectableLift === null ? '-' : `±${percent(metric.power.minimumDetectableLift)}`,
      daysText(metric.power),
      metric.outcome,
    ]),
    3,
  );
}

/** Where traffic is not known yet, as on the first day, what is lacking is told in units. */
function daysText({ daysToGo, unitsToGo }: MetricResult['power']): string {
  if (unitsToGo === 0) return '0';
  if (daysToGo !== null) return daysToGo < 1 && daysToGo > 0 ? '<1' : String(Math.ceil(daysToGo));
  return unitsToGo === null ? '-' : `${figure(unitsToGo)} units`;
}

/** How variants stand against fixed values, where any of them is not on the right side. */
export function thresholdLines({ thresholds }: Pick<PublishedResults, 'thresholds'>): readonly string[] {
  return thresholds.flatMap(({ metric, variant, bound, value, estimate, p, outcome, reason }) => {
    const name = `guardrail ${metric} of ${variant}`;
    switch (outcome) {
      case 'beyond':
      case 'open':
        return [
          `${name} is ${figure(estimate ?? NaN)}, beyond its ${bound} of ${figure(value)}` +
            (outcome === 'beyond' ? ` for sure (p ${p.toPrecision(2)})` : ', which may be chance'),
        ];
      case 'unfit':
        return [`${name} can't be held against its ${bound}: ${reason ?? ''}`];
      case 'within':
      case 'no_data':
        return [];
    }
  });
}

function plot(metrics: readonly MetricResult[]): readonly string[] {
  const lines = intervalPlot(
    // What has no lift, as a size or a control of zero, never gets an interval.
    metrics
      .filter(({ lift }) => lift !== null)
      .map(({ name, variant, lift, anytime }) => ({
        label: `${name} ${variant}`,
        estimate: lift,
        interval: anytime.interval,
      })),
  );
  return lines.length === 0 ? [] : ['', ...lines];
}

/** Whether the numbers may be believed, and where to look if not. */
export function healthLines({ health }: Pick<PublishedResults, 'health'>): readonly string[] {
  const { srm, outcomes, overrides, clientErrors, models, units, signatures } = health;
  const sign = (ok: boolean): string => (ok ? 'ok' : 'NOT OK');
  return [
    `sample ratio ${sign(srm.ok)} (p ${srm.p.toPrecision(2)}), ` +
      `outcomes ${sign(outcomes.ok)} (${percent(outcomes.share)} of the units), ` +
      `overrides ${sign(overrides.ok)} (${percent(overrides.share)} of the requests), ` +
      `client errors ${sign(clientErrors.ok)} (${sharesText(clientErrors.shares)})` +
      (units.ok ? '' : ', too few units yet'),
    ...clientErrors.worse.map((variant) => turnedAwayText(variant, clientErrors)),
    ...signatures.misfits.map(({ message }) => message),
    ...models.changed.map(
      (variant) =>
        `the files of ${variant} were changed in this phase: what both models came to can't be told apart; begin a new phase`,
    ),
    ...Object.entries(srm.causes).flatMap(([dimension, segments]) =>
      segments.map(({ name, units: count }) => `  look at ${dimension} ${name} (${count} units)`),
    ),
  ];
}

/** Which variant turns more callers away than the others, and by how much. */
function turnedAwayText(variant: string, { shares, p }: PublishedResults['health']['clientErrors']): string {
  const others = Object.entries(shares).filter(([name]) => name !== variant);
  const own = ownValue(shares, variant) ?? 0;
  return (
    `${variant} turns ${percent(own)} of its units away as mistaken, and ${sharesText(Object.fromEntries(others))} ` +
    `(p ${p.toPrecision(2)}): it takes other requests`
  );
}

function sharesText(shares: Readonly<Record<string, number>>): string {
  return Object.entries(shares)
    .map(([name, share]) => `${name} ${percent(share)}`)
    .join(', ');
}

function intervalText(interval: KnownInterval): string {
  if (interval === null) return '-';
  const [low, high] = interval;
  return `${low === null ? '-∞' : signedPercent(low)} to ${high === null ? '+∞' : signedPercent(high)}`;
}

const CSV_COLUMNS: readonly (readonly [
  name: string,
  of: (metric: MetricResult) => string | number | null,
])[] = [
  ['metric', ({ name }) => name],
  ['role', ({ role }) => role],
  ['variant', ({ variant }) => variant],
  ['units', ({ units }) => units],
  ['control', ({ control }) => control],
  ['estimate', ({ estimate }) => estimate],
  ['lift', ({ lift }) => lift],
  ['welch_low', ({ welch }) => welch?.[0] ?? null],
  ['welch_high', ({ welch }) => welch?.[1] ?? null],
  ['welch_p', ({ welchP }) => welchP],
  ['anytime_low', ({ anytime }) => anytime.interval?.[0] ?? null],
  ['anytime_high', ({ anytime }) => anytime.interval?.[1] ?? null],
  ['anytime_p', ({ anytime }) => anytime.p],
  ['adjusted_p', ({ adjustedP }) => adjustedP],
  ['chance_to_win', ({ chanceToWin }) => chanceToWin],
  ['expected_loss', ({ expectedLoss }) => expectedLoss],
  ['minimum_detectable_lift', ({ power }) => power.minimumDetectableLift],
  ['units_to_go', ({ power }) => power.unitsToGo],
  ['days_to_go', ({ power }) => power.daysToGo],
  ['outcome', ({ outcome }) => outcome],
];

/** A line for each metric of each variant, after RFC 4180; what is not known is empty. */
export function resultsCsv({ experiment, phase, metrics, builtIn }: PublishedResults): string {
  const header = ['experiment', 'phase', ...CSV_COLUMNS.map(([name]) => name)].join(',');
  const lines = [...metrics, ...builtIn].map((metric) =>
    // Names are letters, digits, ".", "_" and "-", which need no quotes.
    [experiment, phase, ...CSV_COLUMNS.map(([, of]) => of(metric) ?? '')].join(','),
  );
  return `${[header, ...lines].join('\r\n')}\r\n`;
}
