import { expect, test } from 'vitest';
import type { Experiment } from '../../../experiments/definition.ts';
import { assembleExperiments } from '../../../experiments/experiment-set.ts';
import type { ExperimentSet } from '../../../experiments/experiment-set.ts';
import { isUpstream } from '../../../experiments/variant.ts';
import { Upstreams } from '../../../gateway/upstream/upstreams.ts';
import type { UpstreamVersion } from '../../../gateway/upstream/upstream-version.ts';
import { sampleExperiment } from '../../experiments/sample-experiment.ts';
import { eventually } from '../running-gateway.ts';
import { startVariantServer } from './variant-server.ts';

/** Longer than any server takes here. */
const LONG_MS = 600_000;

function variantAt(url: string, health: object = {}): Experiment {
  return sampleExperiment({
    variants: [
      { name: 'v1', version: 1, weight: 1 },
      { name: 'v3', weight: 1, upstream: { url, health: { interval: '1h', timeout: '1m', ...health } } },
    ],
  });
}

const setOf = (experiment: Experiment): ExperimentSet => assembleExperiments([experiment]).set;

function opened() {
  const upstreams = new Upstreams(
    { model: () => undefined },
    {
      keepsCredentials: false,
      answers: { answerBytes: 1024, takenWithinMs: LONG_MS },
      events: { onTry: () => undefined, onRetry: () => undefined, onReadiness: () => undefined },
    },
  );
  const serverOf = ({ variants }: Experiment): UpstreamVersion | undefined =>
    variants.filter(isUpstream).flatMap((variant) => upstreams.of(variant) ?? [])[0];
  return { upstreams, serverOf };
}

test('a server that an edit brings is ready from the moment on that the edit is followed, and the one before it until then', async () => {
  await using one = await startVariantServer();
  await using other = await startVariantServer();
  const { upstreams, serverOf } = opened();
  const [before, after] = [variantAt(one.url), variantAt(other.url)];
  await upstreams.follow(setOf(before));
  await upstreams.prepare(setOf(after), LONG_MS);
  expect([serverOf(before)?.isReady, upstreams.all().length]).toEqual([true, 1]);
  const prepared = serverOf(after);
  void upstreams.follow(setOf(after));
  expect([serverOf(after)?.isReady, upstreams.all().length]).toEqual([true, 1]);
  expect(serverOf(after)).toBe(prepared);
  await upstreams.close();
});

test('what an edit leaves alone is not asked again', async () => {
  await using server = await startVariantServer();
  const { upstreams, serverOf } = opened();
  const before = variantAt(server.url);
  await upstreams.follow(setOf(before));
  const kept = serverOf(before);
  const after = variantAt(server.url);
  await upstreams.prepare(setOf(after), LONG_MS);
  await upstreams.follow(setOf(after));
  expect(serverOf(after)).toBe(kept);
  await upstreams.close();
});

test('a server that does not answer is not waited for, and is ready when it says so', async () => {
  await using server = await startVariantServer();
  server.isHealthy = false;
  const { upstreams, serverOf } = opened();
  const experiment = variantAt(server.url, { interval: '20ms' });
  await upstreams.prepare(setOf(experiment), 0);
  void upstreams.follow(setOf(experiment));
  expect(serverOf(experiment)?.isReady).toBe(false);
  server.isHealthy = true;
  await eventually(() => serverOf(experiment)?.isReady === true);
  await upstreams.close();
});

test('servers of an edit that gave way to another one are let go', async () => {
  await using one = await startVariantServer();
  await using other = await startVariantServer();
  const { upstreams, serverOf } = opened();
  const [first, second] = [variantAt(one.url), variantAt(other.url)];
  await upstreams.prepare(setOf(first), LONG_MS);
  const left = serverOf(first);
  await upstreams.prepare(setOf(second), LONG_MS);
  await upstreams.follow(setOf(second));
  await expect(
    left?.forward(
      { method: 'POST', path: '/', headers: [], body: undefined },
      { deadlineMs: () => Infinity, signal: undefined },
      () => undefined,
    ),
  ).rejects.toThrow();
  await upstreams.close();
});
