const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

export function count(value: number): string {
  return whole.format(value);
}

/** A share from 0 to 1: `90.0 %`. */
export function percent(share: number, digits = 1): string {
  return `${(share * 100).toFixed(digits)} %`;
}

/** `+1.6 %`, with a minus sign that is as wide as the plus. */
export function signedPercent(share: number): string {
  const value = share * 100;
  const digits = Math.abs(value) >= 100 ? 0 : 1;
  const text = Math.abs(value).toFixed(digits);
  const sign = Number(text) === 0 ? '±' : value > 0 ? '+' : '−';
  return `${sign}${text} %`;
}

export function interval(ends: readonly [number | null, number | null] | null): string {
  if (ends === null) return 'not known yet';
  const [low, high] = ends;
  return `${low === null ? '−∞' : signedPercent(low)} to ${high === null ? '+∞' : signedPercent(high)}`;
}

/** Four digits, as `0.9779` or `23.79`. */
export function figure(value: number): string {
  return value === 0 ? '0' : String(Number(value.toPrecision(4)));
}

export function pValue(p: number): string {
  return p < 0.0001 ? '< 0.0001' : p.toPrecision(2);
}

export function milliseconds(ms: number): string {
  return ms < 10 ? `${ms.toFixed(2)} ms` : ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

const UNITS = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1000, 's'],
] as const;

/** A time as a plan says it: `10 min`, `90 s`, `500 ms`. */
export function duration(ms: number): string {
  for (const [size, unit] of UNITS) if (ms >= size && ms % size === 0) return `${ms / size} ${unit}`;
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Per second. */
export function rate(perSecond: number): string {
  return perSecond >= 10 ? whole.format(perSecond) : perSecond.toFixed(1);
}

const clock = new Intl.DateTimeFormat('en', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});
const dated = new Intl.DateTimeFormat('en', {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});

/** The time of day, with the day where it isn't today. */
export function moment(at: number | string): string {
  const date = new Date(at);
  return date.toDateString() === new Date().toDateString() ? clock.format(date) : dated.format(date);
}
