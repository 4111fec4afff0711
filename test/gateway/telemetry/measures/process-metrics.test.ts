import { expect, test } from 'vitest';
import { watchProcess, writeProcessMetrics } from '../../../../gateway/telemetry/measures/process-metrics.ts';
import { eventuallyHolds } from '../../../eventually-holds.ts';
import { metricValue } from '../../running-gateway.ts';

/** Holds the thread. */
function spin(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

const nextTimer = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 15));

test('the event loop’s lag is how late it is, since the last scrape, and not the interval of the timer that watches it', async () => {
  watchProcess();
  await nextTimer();
  spin(300);
  await nextTimer();
  const late = await writeProcessMetrics('text');
  expect(metricValue(late, 'nodejs_eventloop_lag_max_seconds')).toBeGreaterThan(0.25);
  expect(metricValue(late, 'nodejs_eventloop_lag_p99_seconds')).toBeGreaterThan(0.25);
  // A busy machine makes ticks late; the least of several isn't, sooner or later.
  await eventuallyHolds(async () => {
    for (let tick = 0; tick < 8; tick++) await nextTimer();
    const idle = await writeProcessMetrics('text');
    expect(metricValue(idle, 'nodejs_eventloop_lag_min_seconds')).toBeLessThan(0.005);
  });
});

test('a scrape right after another has no lag to tell of, rather than a nonsense', async () => {
  watchProcess();
  await writeProcessMetrics('text');
  const text = await writeProcessMetrics('text');
  expect(text).not.toMatch(/NaN|9223372036/);
});

test('memory, processor time, handles and collections of garbage are told', async () => {
  watchProcess();
  const text = await writeProcessMetrics('text');
  expect(metricValue(text, 'process_resident_memory_bytes')).toBeGreaterThan(2 ** 24);
  expect(metricValue(text, 'nodejs_heap_size_used_bytes')).toBeGreaterThan(2 ** 20);
  expect(metricValue(text, 'process_cpu_seconds_total')).toBeGreaterThan(0);
  expect(metricValue(text, 'nodejs_active_handles_total')).toBeGreaterThan(0);
  expect(text).toContain('# TYPE nodejs_gc_duration_seconds histogram\n');
});

test('however many gateways watch it, each metric is there once', async () => {
  watchProcess();
  watchProcess();
  const heads = (await writeProcessMetrics('openmetrics')).match(/^# TYPE process_cpu_seconds counter$/gm);
  expect(heads).toHaveLength(1);
});
