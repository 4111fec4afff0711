import { expect, test, vi } from 'vitest';
import { assembleExperiments } from '../../../experiments/experiment-set.ts';
import { MemoryStore } from '../../../experiments/stores/memory/memory-store.ts';
import { HistoryKeeper } from '../../../gateway/results/history-keeper.ts';
import type { HistorySources } from '../../../gateway/results/history-keeper.ts';
import { predict, MEASURED_FILES, sendOutcomes } from '../faces/predictions.ts';
import { eventuallyHolds } from '../../eventually-holds.ts';
import { eventually, startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';

interface Asked {
  readonly status: number;
  readonly body: { readonly phase: number; readonly points: readonly Readonly<Record<string, unknown>>[] };
}

async function history(gateway: RunningGateway, key = 'digits-cnn'): Promise<Asked> {
  const response = await fetch(`http://${gateway.server.bound.admin ?? ''}/api/experiments/${key}/history`);
  return { status: response.status, body: (await response.json()) as Asked['body'] };
}

test('a keeper looks by itself, time and again, until it is stopped', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const experiments = vi.fn<HistorySources['experiments']>(() => assembleExperiments([]).set);
    const keeper = new HistoryKeeper({
      store: new MemoryStore(),
      experiments,
      results: { recent: () => Promise.reject(new Error('there is no experiment')) },
      nowMs: () => 0,
      onFault: () => undefined,
    });
    keeper.start();
    await vi.advanceTimersByTimeAsync(10_000);
    const looks = experiments.mock.calls.length;
    expect(looks).toBeGreaterThan(2);
    await keeper.stop();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(experiments).toHaveBeenCalledTimes(looks);
  } finally {
    vi.useRealTimers();
  }
});

test('what an experiment said is kept as it goes, though nobody looks, and outlives the process', async () => {
  const config = 'state: sqlite:./state.db';
  await using gateway = await startGateway({ admin: true, config, files: MEASURED_FILES });
  expect((await history(gateway)).body).toMatchObject({ phase: 1 });
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, user) => predict(gateway, `user-${user}`)),
  );
  await sendOutcomes(
    gateway,
    answers.map(({ id }) => ({ prediction_id: id, metric: 'correct', value: 1 })),
  );
  const unitsOf = (name: string) => answers.filter(({ variant }) => variant === name).length;
  // On a busy machine the gateway may have looked by itself before all was there, and then the next point comes five seconds later.
  await eventuallyHolds(async () => {
    await gateway.server.gateway.results.history.look();
    const last = (await history(gateway)).body.points.at(-1);
    expect(last).toMatchObject({
      verdict: expect.stringMatching(/^keep running/) as string,
      variants: {
        v1: { share: 0.5, units: unitsOf('v1'), requests: unitsOf('v1') },
        v2: { share: 0.5, units: unitsOf('v2'), requests: unitsOf('v2') },
      },
    });
    expect(Object.keys(last?.intervals ?? {})).toContain('correct/v2');
  });
  const { points } = (await history(gateway)).body;
  await gateway.server.stop();

  await using second = await startGateway({
    admin: true,
    config: `state: sqlite:${gateway.folder.path}/state.db`,
    files: MEASURED_FILES,
  });
  expect((await history(second)).body.points.slice(0, points.length)).toEqual(points);
});

test('an edit of the weights makes a point of its own, and a new phase begins anew', async () => {
  await using gateway = await startGateway({ admin: true, files: MEASURED_FILES });
  await predict(gateway, 'ada');
  await gateway.server.gateway.results.history.look();
  const text = MEASURED_FILES['experiments/digits.yaml'];
  if (typeof text !== 'string') throw new Error('the experiment is text');
  await gateway.folder.write({
    'experiments/digits.yaml': text.replace('"weight": 50', '"weight": 150'),
  });
  const shares = async () => {
    await gateway.server.gateway.results.history.look();
    return (await history(gateway)).body.points
      .map(({ variants }) => (variants as { v1: { share: number } }).v1.share)
      .filter((share, index, all) => share !== all[index - 1]);
  };
  await eventually(async () => (await shares()).at(-1) === 0.75);
  expect(await shares()).toEqual([0.5, 0.75]);
  await gateway.folder.write({
    'experiments/digits.yaml': text.replace('"key"', '"phase": 2, "key"'),
  });
  await eventually(async () => (await history(gateway)).body.phase === 2);
  // The gateway may have looked by then.
  for (const { variants } of (await history(gateway)).body.points) {
    expect(variants).toMatchObject({ v1: { requests: 0 }, v2: { requests: 0 } });
  }
});

test('an experiment that isn’t served has none', async () => {
  await using gateway = await startGateway({ admin: true, files: MEASURED_FILES });
  expect((await history(gateway, 'other')).status).toBe(404);
});
