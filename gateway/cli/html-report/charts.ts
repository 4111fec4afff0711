import type { MetricResult } from '../../../experiments/statistics/analysis/results.ts';
import type { Health } from '../../../experiments/statistics/analysis/results.ts';
import { signedPercent } from '../interval-plot.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';

const WIDTH = 900;
const LABELS = 210;
const VALUES = 170;
const ROW = 34;
const AXIS = 28;

/** A lift of 200 %: one wild interval would press all others into a point. */
const LONGEST_REACH = 2;

/** The always-valid intervals of lifts over one axis with a line at zero; an arrow stands where an end lies outside, or nothing limits it. */
export function intervalChart(metrics: readonly MetricResult[]): Markup | undefined {
  const shown = metrics.filter(({ anytime }) => anytime.interval !== null);
  const ends = shown.flatMap(({ lift, anytime }) =>
    [lift, ...(anytime.interval ?? [])].filter((end) => end !== null),
  );
  if (ends.length === 0) return undefined;
  const reach = Math.min(Math.max(...ends.map(Math.abs), 0.001) * 1.1, LONGEST_REACH);
  const [left, right] = [LABELS, WIDTH - VALUES];
  const at = (lift: number): number =>
    Math.round(left + ((Math.max(-reach, Math.min(reach, lift)) + reach) / (2 * reach)) * (right - left));
  const height = shown.length * ROW + AXIS;
  const zero = at(0);
  return html`<svg
    viewBox="0 0 ${WIDTH} ${height}"
    role="img"
    aria-label="Lifts with their always-valid intervals"
  >
    <line
      x1="${zero}"
      y1="0"
      x2="${zero}"
      y2="${height - AXIS}"
      stroke="var(--quiet)"
      stroke-dasharray="3 3"
    />
    ${shown.map((metric, index) => intervalRow(metric, index * ROW + ROW / 2, reach, at))}
    ${[-reach, -reach / 2, 0, reach / 2, reach].map(
      (lift) =>
        html`<text class="quiet" x="${at(lift)}" y="${height - 8}" text-anchor="middle"
          >${lift === 0 ? '0' : signedPercent(lift)}</text
        >`,
    )}
  </svg>`;
}

function intervalRow(
  { name, variant, lift, anytime, outcome }: MetricResult,
  y: number,
  reach: number,
  at: (lift: number) => number,
): Markup {
  const [low, high] = anytime.interval ?? [null, null];
  const [from, to] = [at(low ?? -reach), at(high ?? reach)];
  const color = outcome === 'better' ? 'var(--good)' : outcome === 'worse' ? 'var(--bad)' : 'var(--open)';
  const cap = (x: number, isOpen: boolean, direction: 1 | -1): Markup =>
    isOpen
      ? html`<path
          d="M ${x - 7 * direction} ${y - 6} L ${x} ${y} L ${x - 7 * direction} ${y + 6}"
          fill="none"
          stroke="${color}"
          stroke-width="2"
        />`
      : html`<line x1="${x}" y1="${y - 6}" x2="${x}" y2="${y + 6}" stroke="${color}" stroke-width="2" />`;
  return html`<g>
    <text x="0" y="${y + 4}">${name} <tspan class="quiet" fill="var(--quiet)">${variant}</tspan></text>
    <line x1="${from}" y1="${y}" x2="${to}" y2="${y}" stroke="${color}" stroke-width="2" />
    ${cap(from, low === null || low < -reach, -1)} ${cap(to, high === null || high > reach, 1)}
    ${lift === null ? '' : html`<circle cx="${at(lift)}" cy="${y}" r="5" fill="${color}" />`}
    <text class="quiet" x="${WIDTH}" y="${y + 4}" text-anchor="end">${intervalText(low, high)}</text>
  </g>`;
}

export function intervalText(low: number | null, high: number | null): string {
  return `${low === null ? '−∞' : signedPercent(low)} to ${high === null ? '+∞' : signedPercent(high)}`;
}

/** Units of each variant against what their shares would give: where the bar and the mark differ much, the split is off. */
export function ratioChart({ srm }: Health): Markup | undefined {
  const most = Math.max(...srm.variants.flatMap(({ units, expected }) => [units, expected]));
  if (!(most > 0)) return undefined;
  const width = WIDTH - LABELS - VALUES;
  const height = srm.variants.length * ROW;
  return html`<svg
    viewBox="0 0 ${WIDTH} ${height}"
    role="img"
    aria-label="Units of each variant against their share"
  >
    ${srm.variants.map(({ variant, units, expected }, index) => {
      const y = index * ROW + ROW / 2;
      const mark = Math.round(LABELS + (expected / most) * width);
      return html`<g>
        <text x="0" y="${y + 4}">${variant}</text>
        <rect
          x="${LABELS}"
          y="${y - 9}"
          width="${Math.round((units / most) * width)}"
          height="18"
          rx="3"
          fill="var(--band)"
          stroke="var(--open)"
        />
        <line x1="${mark}" y1="${y - 13}" x2="${mark}" y2="${y + 13}" stroke="var(--ink)" stroke-width="2" />
        <text class="quiet" x="${WIDTH}" y="${y + 4}" text-anchor="end"
          >${units} of ${Math.round(expected)} expected</text
        >
      </g>`;
    })}
  </svg>`;
}
