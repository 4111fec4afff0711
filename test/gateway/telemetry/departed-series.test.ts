import { expect, test } from 'vitest';
import { NO_GAUGES } from '../../../gateway/telemetry/measures/gauges.ts';
import { Metrics } from '../../../gateway/telemetry/metrics.ts';
import type { RouteLabels } from '../../../gateway/telemetry/metrics.ts';

const MINUTE_MS = 60_000;

/** A request that was answered, wherever it went. */
const SERVED = {
  reason: 'split',
  outcome: 'ok',
  protocol: 'http',
  totalMs: 1,
  routeMs: 1,
  queueMs: 1,
  computeMs: 1,
  traceId: undefined,
} as const;

test('releases without number make no series without number: those of a version go an hour after it was unloaded', async () => {
  let loaded = 0;
  let nowMs = 0;
  const instances = () => [{ model: 'digits', version: loaded, ready: 1, hung: 0, wanted: 1 }];
  const metrics = new Metrics({ ...NO_GAUGES, instances }, undefined, () => nowMs);
  const own = async (): Promise<readonly string[]> =>
    (await metrics.render()).split('\n').filter((line) => line.startsWith('signalbox_'));
  const serve = (route: RouteLabels): void => {
    metrics.recordBatch({ model: 'digits', version: Number(route.version), rows: 1, reason: 'idle' });
    metrics.recordRequest({ route, ...SERVED });
  };
  const routeOf = (version: number): RouteLabels => ({
    model: 'digits',
    version: String(version),
    experiment: 'digits-cnn',
    variant: 'v2',
  });
  const counts: number[] = [];
  for (loaded = 1; loaded <= 20; loaded++) {
    serve(routeOf(loaded));
    nowMs += 45 * MINUTE_MS;
    counts.push((await own()).length);
  }
  expect(counts.slice(3).every((count) => count === counts[2])).toBe(true);
  // What belongs to the experiment goes on counting.
  const of = async (name: string): Promise<readonly string[]> =>
    (await own()).filter((line) => line.startsWith(name));
  expect(await of('signalbox_exposures_total{')).toEqual([expect.stringMatching(/ 20$/)]);

  // One that comes back counts from 0, under the labels that it had.
  const route = routeOf(3);
  loaded = 3;
  serve(route);
  expect(await of('signalbox_requests_total{model="digits",version="3"')).toEqual([
    expect.stringMatching(/ 1$/),
  ]);
  loaded = 4;
  nowMs += 61 * MINUTE_MS;
  await own();
  expect(await of('signalbox_requests_total{model="digits",version="3"')).toEqual([]);
  serve(route);
  expect(await of('signalbox_requests_total{model="digits",version="3"')).toEqual([
    expect.stringMatching(/ 1$/),
  ]);
  expect(await of('signalbox_batches_total{model="digits",version="3"')).toHaveLength(1);
});

test('the series of an experiment go an hour after its file was removed, and no other’s', async () => {
  let experiments = ['digits-1', 'digits'];
  let nowMs = 0;
  const metrics = new Metrics({ ...NO_GAUGES, experiments: () => experiments }, undefined, () => nowMs);
  const of = async (experiment: string): Promise<readonly string[]> =>
    (await metrics.render()).split('\n').filter((line) => line.includes(`experiment="${experiment}"`));
  for (const experiment of experiments) {
    metrics.recordRequest({ route: { model: 'digits', version: '1', experiment, variant: 'v1' }, ...SERVED });
    metrics.recordOutcome(experiment, 'v1', 'correct');
    metrics.recordUpstreamTry(experiment, 'v1', 'ok');
    metrics.recordMirror(experiment, 'v1', 'agree');
    metrics.recordBanditTurn(experiment, 'moved');
  }
  const [removed, kept] = [await of('digits-1'), await of('digits')];
  expect(removed).toHaveLength(kept.length);
  expect(removed.join(' ')).toMatch(/exposures_total.*outcomes_total/);

  experiments = ['digits'];
  nowMs += 59 * MINUTE_MS;
  expect(await of('digits-1')).toEqual(removed);
  nowMs += 2 * MINUTE_MS;
  expect(await of('digits-1')).toEqual([]);
  expect(await of('digits')).toEqual(kept);
});
