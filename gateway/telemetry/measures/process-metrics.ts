import { Registry, collectDefaultMetrics } from 'prom-client';
import { boundText, braced, headOf, numberText, written } from '../exposition/format.ts';
import type { Format } from '../exposition/format.ts';

/** Between two ticks of the timer that watches the event loop. */
const TICK_MS = 10;

/** Made once: what it tells is the process's, however many gateways are in it. */
let registry: Registry | undefined;

/** Begins to watch the process: its event loop, heap, collections of garbage, handles, memory and processor time. */
export function watchProcess(): void {
  if (registry !== undefined) return;
  registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: TICK_MS });
  // The client's first reading is the first to change the field of an object that begins with `value`, as results of iterators do. V8 takes
  // such fields for constant until then, and then throws away what it has compiled of every loop over an iterator. Now there is nothing yet to throw away.
  void registry.getMetricsAsJSON();
}

/** Its part of the exposition, under the names of Prometheus' client for Node. The event loop's lag is that since the last scrape. */
export async function writeProcessMetrics(format: Format): Promise<string> {
  if (registry === undefined) return '';
  let text = '';
  for (const { name, help, type, values } of await registry.getMetricsAsJSON()) {
    text += headOf(name, help, typeOf(String(type)), format);
    for (const sample of values) {
      const value = name.startsWith('nodejs_eventloop_lag_') ? lagOf(name, sample.value) : sample.value;
      if (value === undefined) continue;
      const labels = Object.entries(sample.labels).map(
        ([label, is]) =>
          [label, label === 'le' && typeof is === 'number' ? boundText(is) : String(is)] as const,
      );
      // The series of a histogram have names of their own.
      const series = 'metricName' in sample ? String(sample.metricName) : name;
      text += `${series}${braced(written(labels))} ${numberText(value)}\n`;
    }
  }
  return text;
}

function typeOf(type: string): 'counter' | 'gauge' | 'histogram' {
  return type === 'counter' || type === 'histogram' ? type : 'gauge';
}

/** A histogram of the event loop that has seen nothing has its own idea of the least. */
const LONGEST_LAG_SECONDS = 1e6;

/**
 * Node's monitor measures the whole time from one tick of a timer to the next, so that an idle loop shows the timer's own
 * interval: that is no lag.
 *
 * @returns undefined where nothing was seen since the last scrape
 */
function lagOf(name: string, seconds: number): number | undefined {
  // This one is measured by the client itself; a deviation has no interval in it.
  if (name === 'nodejs_eventloop_lag_seconds' || name === 'nodejs_eventloop_lag_stddev_seconds')
    return Number.isNaN(seconds) ? undefined : seconds;
  return seconds < LONGEST_LAG_SECONDS ? Math.max(0, seconds - TICK_MS / 1000) : undefined;
}
