import { expect, test } from 'vitest';
import { statusText } from '../../../gateway/cli/experiment-status.ts';

const EXPERIMENT = {
  key: 'digits-cnn',
  model: 'digits',
  status: 'running',
  phase: 1,
  weightsVersion: 4,
  control: 'v1',
  variants: [
    { name: 'v1', version: 1, weight: 95, share: 0.95 },
    { name: 'v2', version: 2, weight: 5, share: 0.05 },
  ],
  wished: { status: 'running', weights: { v1: 95, v2: 5 } },
  standing: {
    version: 4,
    action: 'rollout.progressing',
    reason: 'pause_over: the pause of step 2 is over',
    actor: { kind: 'rollout', name: '', address: '' },
    at: '2026-11-25T12:00:00.000Z',
    isRecovered: false,
  },
};

test('the status of an experiment with a rollout shows the plan, what is done of it, and where it stands', () => {
  const rollout = {
    target: { variant: 'v2', version: 2 },
    state: { kind: 'progressing', at: { step: 4, passes: 1 } },
    weight: 5,
    steps: [
      { kind: 'match', rules: 1 },
      { kind: 'pause', durationMs: null },
      { kind: 'setWeight', weight: 5 },
      { kind: 'pause', durationMs: 600_000 },
      { kind: 'analysis', count: 3 },
      { kind: 'setWeight', weight: 50 },
    ],
  } as const;
  expect(
    statusText({ ...EXPERIMENT, rollout })
      .split('\n')
      .slice(4, 12),
  ).toEqual([
    'rollout of v2 (version 2): progressing, step 5 of 6, 5 % of the units',
    '  done  whom a rule names',
    '  done  until a person says so',
    '  done  5 %',
    '  done  pause of 600 s',
    '  here  3 analyses, 1 passed',
    '        50 %',
    '',
  ]);
  expect(statusText(EXPERIMENT)).not.toContain('rollout of');
});

test.each([
  [{ by: 'plan', untilMs: Date.UTC(2026, 10, 25, 12) }, 'by its plan until 2026-11-25T12:00:00.000Z'],
  [{ by: 'person' }, 'by a person, until somebody resumes it'],
  [{ by: 'inconclusive' }, 'for a person: its analyses can’t tell'],
  [{ by: 'health' }, 'for a person: what is measured can’t be believed'],
])('a rollout that is paused says who has to do what', (hold, words) => {
  const rollout = {
    target: { variant: 'v2', version: 2 },
    state: { kind: 'paused', at: { step: 1, passes: 0 }, hold },
    weight: 5,
    steps: [
      { kind: 'setWeight', weight: 5 },
      { kind: 'pause', durationMs: 600_000 },
    ],
  } as const;
  expect(statusText({ ...EXPERIMENT, rollout })).toContain(
    `rollout of v2 (version 2): paused ${words}, step 2 of 2, 5 % of the units`,
  );
});

test('a variant elsewhere is shown by its server, and by its name and version there', () => {
  const elsewhere = (upstream: { url: string; model?: string; version?: number; path?: string }) =>
    statusText({
      ...EXPERIMENT,
      variants: [
        { name: 'v1', version: 1, weight: 95, share: 0.95 },
        { name: 'v2', upstream, weight: 5, share: 0.05 },
      ],
    })
      .split('\n')[2]
      ?.trim()
      .split(/ {2,}/)
      .slice(0, 2);
  const url = 'http://triton:8000';
  expect(elsewhere({ url, model: 'digits' })).toEqual(['v2', url]);
  expect(elsewhere({ url, model: 'digits', version: 2 })).toEqual(['v2', `2 at ${url}`]);
  expect(elsewhere({ url, model: 'cnn', version: 2 })).toEqual(['v2', `cnn 2 at ${url}`]);
  expect(elsewhere({ url, path: '/predict' })).toEqual(['v2', `${url}/predict`]);
});
