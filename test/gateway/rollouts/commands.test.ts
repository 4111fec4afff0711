import { expect, test } from 'vitest';
import { eventuallyHolds } from '../../eventually-holds.ts';
import { rightClassifier } from '../../models/classifiers.ts';
import { eventually } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';
import { classify, history, startRollout, stateOf } from './rolled-out.ts';

const WAITING = {
  steps: [{ match: [{ headers: { 'x-tester': 'yes' } }] }, { pause: {} }, { setWeight: 50 }, { pause: {} }],
};

async function command(gateway: RunningGateway, action: string, body: object = {}): Promise<number> {
  const response = await fetch(
    `http://${gateway.server.bound.admin ?? ''}/api/experiments/classes/${action}`,
    {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ reason: 'a test', ...body }),
    },
  );
  await response.arrayBuffer();
  return response.status;
}

const reaches = (gateway: RunningGateway, kind: string) => eventually(() => stateOf(gateway)?.kind === kind);

test('people promote, pause, resume and roll back, and the rollout’s steps are what happens', async () => {
  await using gateway = await startRollout({ version2: rightClassifier(), rollout: WAITING, admin: true });
  await reaches(gateway, 'waiting_for_approval');
  const answeredBy = async (headers: Record<string, string>) => {
    const response = await fetch(gateway.url('/v2/models/classes/infer'), {
      method: 'POST',
      headers: { 'x-user-id': 'ada', ...headers },
      body: JSON.stringify({
        inputs: [{ name: 'SCORES', shape: [1, 4], datatype: 'FP32', data: [1, 0, 0, 0] }],
      }),
    });
    await response.arrayBuffer();
    return [response.headers.get('x-experiment'), response.headers.get('x-experiment-reason')];
  };
  // Header-only first: nobody but who meets the rule.
  expect(await answeredBy({ 'x-tester': 'yes' })).toEqual(['classes=v2', 'targeting']);
  expect(await answeredBy({})).toEqual(['classes=v1', 'split']);

  expect(await command(gateway, 'promote')).toBe(200);
  expect(stateOf(gateway)).toMatchObject({ kind: 'waiting_for_approval', at: { step: 3 } });
  expect(await command(gateway, 'pause')).toBe(200);
  expect(stateOf(gateway)).toMatchObject({ kind: 'paused', hold: { by: 'person' } });
  expect(await command(gateway, 'resume')).toBe(200);
  expect(await command(gateway, 'promote', { full: true })).toBe(200);
  await reaches(gateway, 'succeeded');
  expect((await classify(gateway, 'ada', 1)).variant).toBe('v2');
  expect(await command(gateway, 'rollback')).toBe(200);
  await reaches(gateway, 'aborted');
  expect(await answeredBy({ 'x-tester': 'yes' })).toEqual(['classes=v1', 'default']);
  // The last word is the person's own, not that somebody said something.
  expect((await history(gateway)).at(-1)).toMatchObject({
    action: 'rollout.aborted',
    reason: 'person: a test',
  });
  // Nobody is paged for what a person did.
  const metrics = await gateway.metrics();
  expect(metrics).toContain('signalbox_rollout_state{experiment="classes"} -1');
  expect(metrics).not.toContain('signalbox_rolled_back_timestamp_seconds{');
  expect(await command(gateway, 'resume')).toBe(200);
  await reaches(gateway, 'waiting_for_approval');
});

test('a dry run tells what an analysis would decide, finding by finding, and changes nothing', async () => {
  const rollout = { steps: [{ setWeight: 50 }, { analysis: {} }], interval: '1h' };
  await using gateway = await startRollout({ version2: rightClassifier(), rollout, admin: true });
  await reaches(gateway, 'progressing');
  const ask = async () =>
    (await fetch(`http://${gateway.server.bound.admin ?? ''}/api/experiments/classes/rollout`)).json();
  expect(await ask()).toMatchObject({
    rollout: { target: { variant: 'v2', version: 2, phase: 1 }, state: { kind: 'progressing' }, weight: 50 },
    analysis: { outcome: 'no_data' },
    would: null,
  });
  let user = 0;
  // On a busy machine what was counted, and how long the versions took, may not yet be enough.
  await eventuallyHolds(async () => {
    for (let more = 0; more < 120; more += 1, user += 1) await classify(gateway, `user-${user}`, user % 4);
    const answer = await ask();
    expect(answer).toMatchObject({ analysis: { outcome: 'pass' }, would: { state: { kind: 'promoting' } } });
  });
  expect(stateOf(gateway)?.kind).toBe('progressing');
});
