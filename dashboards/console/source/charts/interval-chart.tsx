import { useState } from 'preact/hooks';
import type uPlot from 'uplot';
import type { PointShape } from '../shapes.ts';
import { interval, moment, signedPercent } from '../words/numbers.ts';
import { variantColor } from '../words/variants.ts';
import { axes, Chart } from './chart.tsx';

interface IntervalChartProps {
  readonly points: readonly PointShape[];
  readonly metric: string;
  /** The variants that are compared with control. */
  readonly variants: readonly string[];
  /** All of the experiment's, so that each keeps its colour. */
  readonly names: readonly string[];
  readonly control: string;
}

/** How the always-valid intervals of one metric close in. */
export function IntervalChart({ points, metric, variants, names, control }: IntervalChartProps) {
  const [at, setAt] = useState<number | null>(null);
  const ofVariant = (variant: string, end: 0 | 1 | 2): (number | null)[] =>
    points.map(({ intervals }) => {
      const value = intervals[`${metric}/${variant}`]?.[end] ?? null;
      return value === null ? null : value * 100;
    });
  const data: uPlot.AlignedData = [
    points.map(({ atMs }) => atMs / 1000),
    ...variants.flatMap((variant) => [ofVariant(variant, 2), ofVariant(variant, 1), ofVariant(variant, 0)]),
  ];
  const shown = points[at ?? points.length - 1] ?? points.at(-1);
  return (
    <div class="chart-box">
      <p class="readout">
        <span class="readout-time">
          {shown === undefined ? '' : at === null ? 'now' : moment(shown.atMs)}
        </span>
        {variants.map((variant) => {
          const known = shown?.intervals[`${metric}/${variant}`];
          const [lift, low, high] = known ?? [null, null, null];
          return (
            <span key={variant} class="readout-item">
              <i class={`swatch ${variantColor(variant, names, control)}`} aria-hidden="true" />
              {variant} <b>{lift === null ? '—' : signedPercent(lift)}</b>{' '}
              <span class="quiet">
                {low === null && high === null ? 'interval not known yet' : interval([low, high])}
              </span>
            </span>
          );
        })}
      </p>
      <Chart
        data={data}
        identity={`${metric} ${variants.join()}`}
        height={264}
        onPoint={setAt}
        label={`The always-valid interval of ${metric} against ${control} over time; the table below has its figures.`}
        options={(color) => ({
          cursor: { points: { size: 7 }, y: false },
          scales: { x: { time: true }, y: { range: frame } },
          axes: axes(color, (value) => signedPercent(value / 100).replace('.0', ''), 62),
          series: [
            {},
            ...variants.flatMap((variant): uPlot.Series[] => {
              const stroke = color(variantColor(variant, names, control));
              const end = { stroke, width: 1, points: { show: false } };
              return [end, end, { stroke, width: 2.25, points: { show: false } }];
            }),
          ],
          bands: variants.map((variant, index) => ({
            series: [index * 3 + 1, index * 3 + 2],
            fill: `color-mix(in oklab, ${color(variantColor(variant, names, control))} 16%, transparent)`,
          })),
          plugins: [
            {
              hooks: {
                drawAxes: (chart) => {
                  drawZero(chart, color('ink-2'));
                },
              },
            },
          ],
        })}
      />
    </div>
  );
}

/** Zero is always in sight; early intervals, which are very wide, don't make later ones invisible. */
function frame(chart: uPlot): [number, number] {
  const [, ...series] = chart.data;
  const settled = series.flatMap((values) =>
    [...values].filter((value): value is number => value !== null && value !== undefined),
  );
  if (settled.length === 0) return [-5, 5];
  const sizes = settled.map(Math.abs).sort((a, b) => a - b);
  const most = sizes[Math.floor((sizes.length - 1) * 0.94)] ?? 5;
  const reach = Math.max(most * 1.15, 0.5);
  const low = Math.max(-reach, Math.min(...settled, 0) * 1.15);
  const high = Math.min(reach, Math.max(...settled, 0) * 1.15);
  return [Math.min(low, -reach * 0.12), Math.max(high, reach * 0.12)];
}

function drawZero(chart: uPlot, stroke: string): void {
  const { ctx, bbox } = chart;
  const y = Math.round(chart.valToPos(0, 'y', true));
  ctx.save();
  ctx.strokeStyle = stroke;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}
