/**
 * What Prometheus' two text formats have in common, and where they differ.
 *
 * Sources: Prometheus, "Text-based exposition format", version 0.0.4; OpenMetrics, version 1.0.0.
 */

export type Format = 'text' | 'openmetrics';

export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

export type Labels = Readonly<Record<string, string>>;

export type MetricType = 'counter' | 'gauge' | 'histogram';

/** A metric with all its series. */
export interface Family {
  /** Its part of the exposition, each line with its line feed. */
  write(format: Format): string;
}

const COUNTER_SUFFIX = /_total$/;

/**
 * What is said of a metric before its series. OpenMetrics names a counter without the `_total` that its series end in; it has
 * no word for a counter whose series don't, so such a one is of an unknown type there.
 */
export function headOf(name: string, help: string, type: MetricType, format: Format): string {
  if (format === 'text' || type !== 'counter') return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
  const family = name.replace(COUNTER_SUFFIX, '');
  return `# HELP ${family} ${help}\n# TYPE ${family} ${family === name ? 'unknown' : 'counter'}\n`;
}

/** `{model="digits",version="1"}`; empty where there are none. */
export function braced(labels: string): string {
  return labels === '' ? '' : `{${labels}}`;
}

/** `model="digits",version="1"`, with what the formats escape escaped. */
export function written(labels: readonly (readonly [string, string])[]): string {
  return labels.map(([name, value]) => `${name}="${value.replace(ESCAPABLE, escaped)}"`).join(',');
}

const ESCAPABLE = /[\\"\n]/g;

function escaped(char: string): string {
  return char === '\n' ? '\\n' : `\\${char}`;
}

/** A sample's value. */
export function numberText(value: number): string {
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : String(value);
}

/**
 * The bound of a bucket as it stands in the label `le`: the same in both formats, or a scraper that changes from one to the other would
 * see other series. OpenMetrics wants a point in it.
 */
export function boundText(bound: number): string {
  const text = numberText(bound);
  return /^[0-9]+$/.test(text) ? `${text}.0` : text;
}
