import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { useObservable } from '../observable.ts';
import { seenTheme } from '../theme.ts';

interface ChartProps {
  readonly data: uPlot.AlignedData;
  /** Whatever `options` look at beside the theme: it is made anew when this changes. */
  readonly identity: string;
  readonly height: number;
  readonly options: (color: (name: string) => string) => Omit<uPlot.Options, 'width' | 'height'>;
  /** The whole chart as a sentence, for those who don't see it. */
  readonly label: string;
  readonly onPoint?: (index: number | null) => void;
}

/** A chart as wide as its place. What it shows is told in words, and as a table, beside it. */
export function Chart({ data, identity, height, options, label, onPoint }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const theme = useObservable(seenTheme);
  useEffect(() => {
    const place = box.current;
    if (place === null) return undefined;
    // A canvas doesn't know `light-dark()`: the browser says which of the two it is.
    const color = (name: string): string => {
      place.style.color = `var(--${name})`;
      const seen = getComputedStyle(place).color;
      place.style.color = '';
      return seen;
    };
    const made = new uPlot(
      {
        ...options(color),
        width: place.clientWidth,
        height,
        legend: { show: false },
        hooks: { setCursor: [(chart) => onPoint?.(chart.cursor.idx ?? null)] },
      },
      data,
      place,
    );
    plot.current = made;
    const resize = new ResizeObserver(() => {
      made.setSize({ width: place.clientWidth, height });
    });
    resize.observe(place);
    return () => {
      resize.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [identity, theme, height]);
  useEffect(() => {
    plot.current?.setData(data);
  }, [data]);
  return <div class="chart" ref={box} role="img" aria-label={label} />;
}

/** Axes alike in every chart. */
export function axes(
  color: (name: string) => string,
  values: (value: number) => string,
  valueWidth = 58,
): uPlot.Axis[] {
  const shared = {
    stroke: color('ink-2'),
    font: '12px "Inter Variable", system-ui, sans-serif',
    ticks: { show: false },
  };
  return [
    { ...shared, grid: { show: false }, space: 70, size: 28, values: timeLabels },
    {
      ...shared,
      grid: { stroke: color('line'), width: 1 },
      size: valueWidth,
      space: 34,
      values: (_chart, ticks) => ticks.map(values),
    },
  ];
}

function timeLabels(_chart: uPlot, ticks: number[], _axis: number, _space: number, step: number): string[] {
  const format = new Intl.DateTimeFormat('en', {
    ...(step >= 86_400 ? { day: 'numeric', month: 'short' } : { hour: '2-digit', minute: '2-digit' }),
    ...(step < 60 && { second: '2-digit' }),
    hourCycle: 'h23',
  });
  return ticks.map((seconds) => format.format(seconds * 1000));
}
