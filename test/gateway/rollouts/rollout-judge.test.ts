import { expect, test, vi } from 'vitest';
import { RolloutJudge } from '../../../gateway/rollouts/rollout-judge.ts';
import type { RolloutJudgeOptions } from '../../../gateway/rollouts/rollout-judge.ts';
import { VERSION_3, oneRollout } from './one-rollout.ts';

const AT_10_PERCENT = {
  target: VERSION_3,
  state: {
    kind: 'progressing',
    at: { step: 1, sinceMs: 0, passes: 0, failures: 0, inconclusive: 0 },
  },
} as const;

const never = new AbortController().signal;

/** A judge whose webhook says that all is well. */
async function judge(options: Partial<RolloutJudgeOptions> = {}) {
  const { store, experiments, experiment, plan } = await oneRollout();
  const askWebhook = vi.fn<RolloutJudgeOptions['askWebhook']>(() =>
    Promise.resolve({ kind: 'answered', status: 200, outcome: 'pass', message: '' }),
  );
  const made = new RolloutJudge({
    experiments,
    counts: store,
    flushExposures: () => Promise.resolve(),
    askPrometheus: () => Promise.reject(new Error('it has no query')),
    askWebhook,
    mirrorEvidence: () => Promise.reject(new Error('it has no mirror')),
    nowMs: () => 1000,
    ...options,
  });
  return {
    store,
    askWebhook,
    judged: (signal = never) => made.judge(experiment, plan, AT_10_PERCENT, signal),
  };
}

test('who is asked is told what is rolled out, and how far', async () => {
  const { judged, askWebhook } = await judge();
  const { findings } = await judged();
  expect(findings.map(({ source }) => source)).toContain('webhook');
  expect(askWebhook).toHaveBeenCalledTimes(1);
  expect(askWebhook.mock.calls[0]?.[1]).toEqual({
    experiment: 'classes',
    ...VERSION_3,
    state: AT_10_PERCENT.state,
    weight: 10,
    mirrored: 0,
  });
});

test('what was counted is read last, with what this process has seen until then', async () => {
  const order: string[] = [];
  const noted =
    (what: string) =>
    <Value>(value: Value): Value => {
      order.push(what);
      return value;
    };
  const { judged, store } = await judge({
    askWebhook: () =>
      Promise.resolve({ kind: 'answered', status: 200, outcome: 'pass', message: '' } as const).then(
        noted('answer'),
      ),
    flushExposures: () => Promise.resolve().then(noted('flush')),
  });
  vi.spyOn(store, 'tallies').mockImplementationOnce((...asked) => store.tallies(...noted('tallies')(asked)));
  await judged();
  expect(order).toEqual(['answer', 'flush', 'tallies']);
});

test('who is asked is told when nobody waits for the answer any more', async () => {
  const moved = new AbortController();
  const { judged } = await judge({
    askWebhook: (_check, _rollout, signal) => {
      moved.abort();
      return Promise.resolve({ kind: 'failed', reason: signal.aborted ? 'given up' : 'asked on' });
    },
  });
  const { findings } = await judged(moved.signal);
  expect(JSON.stringify(findings)).toContain('given up');
});
