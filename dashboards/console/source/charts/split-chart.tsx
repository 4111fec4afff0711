import type uPlot from 'uplot';
import type { PointShape } from '../shapes.ts';
import { percent } from '../words/numbers.ts';
import { variantColor } from '../words/variants.ts';
import { axes, Chart } from './chart.tsx';

interface SplitChartProps {
  readonly points: readonly PointShape[];
  readonly names: readonly string[];
  readonly control: string;
}

/** Stretches of time that a chart shows; a share needs some requests to be one. */
const STRETCHES = 40;

/** The share of the requests that each variant got, stretch by stretch, over the planned one (dashed). */
export function SplitChart({ points, names, control }: SplitChartProps) {
  const challengers = names.filter((name) => name !== control);
  const stretches = stretchesOf(points, names);
  const data: uPlot.AlignedData = [
    stretches.map(({ atMs }) => atMs / 1000),
    ...challengers.flatMap((name) => [
      stretches.map(({ actual }) => (actual === undefined ? null : (actual.get(name) ?? 0) * 100)),
      stretches.map(({ planned }) => (planned.get(name) ?? 0) * 100),
    ]),
  ];
  const last = stretches.at(-1);
  return (
    <Chart
      data={data}
      identity={`split ${names.join()}`}
      height={180}
      label={`The share of the requests over time. Last: ${challengers
        .map(
          (name) =>
            `${name} got ${percent(last?.actual?.get(name) ?? 0)}, planned ${percent(last?.planned.get(name) ?? 0)}`,
        )
        .join('; ')}.`}
      options={(color) => ({
        cursor: { show: false },
        scales: { x: { time: true }, y: { range: [0, 100] } },
        axes: axes(color, (value) => `${value} %`, 50),
        series: [
          {},
          ...challengers.flatMap((name): uPlot.Series[] => {
            const stroke = color(variantColor(name, names, control));
            return [
              {
                stroke,
                width: 2,
                points: { show: false },
                fill: `color-mix(in oklab, ${stroke} 20%, transparent)`,
              },
              { stroke: color('ink'), width: 1.25, dash: [6, 4], points: { show: false } },
            ];
          }),
        ],
      })}
    />
  );
}

interface Stretch {
  readonly atMs: number;
  /** By variant, 0 to 1; undefined where there were no requests. */
  readonly actual: ReadonlyMap<string, number> | undefined;
  readonly planned: ReadonlyMap<string, number>;
}

function stretchesOf(points: readonly PointShape[], names: readonly string[]): readonly Stretch[] {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return [];
  const stepMs = Math.max(1000, (last.atMs - first.atMs) / STRETCHES);
  const marks = points.filter((point, index) => {
    const next = points[index + 1];
    return (
      index === 0 || next === undefined || Math.floor(point.atMs / stepMs) !== Math.floor(next.atMs / stepMs)
    );
  });
  return marks.slice(1).map((mark, index) => {
    const before = marks[index];
    const gained = names.map((name) => {
      const requests = (mark.variants[name]?.requests ?? 0) - (before?.variants[name]?.requests ?? 0);
      return [name, Math.max(0, requests)] as const;
    });
    const all = gained.reduce((sum, [, requests]) => sum + requests, 0);
    return {
      atMs: mark.atMs,
      actual: all === 0 ? undefined : new Map(gained.map(([name, requests]) => [name, requests / all])),
      planned: new Map(names.map((name) => [name, mark.variants[name]?.share ?? 0])),
    };
  });
}
