import { expect, test } from 'vitest';
import { drivenRollout } from '../../../experiments/rollouts/rollout-step.ts';
import type { RolloutState } from '../../../experiments/rollouts/state.ts';
import { eventually } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';
import { infer, startUpstreamGateway } from '../upstream/upstream-gateway.ts';
import { startVariantServer } from '../upstream/variant-server.ts';

function stateOf({ server }: RunningGateway): RolloutState | undefined {
  const situation = server.gateway.experiments.situation('digits-cnn');
  return situation && drivenRollout(situation)?.record?.state;
}

test('a variant on another server is rolled out once that server is ready; that the control answers in its place hides none of its faults', async () => {
  await using server = await startVariantServer();
  server.isHealthy = false;
  const url = server.url;
  await using gateway = await startUpstreamGateway(url, {
    config: 'state: memory\n',
    upstream: { retries: 0, breaker: { failures: 100 } },
    experiment: {
      variants: [
        { name: 'v1', version: 1, weight: 1 },
        {
          name: 'v3',
          weight: 0,
          upstream: {
            url,
            retries: 0,
            breaker: { failures: 100 },
            health: { interval: '100ms', timeout: '1m' },
          },
        },
      ],
      rollout: { steps: [{ setWeight: 50 }, { pause: {} }], hardFloor: { consecutiveErrors: 4 } },
    },
  });
  await eventually(() => stateOf(gateway)?.kind === 'pending');
  server.isHealthy = true;
  await eventually(() => stateOf(gateway)?.kind === 'waiting_for_approval');
  let users = 0;
  /** Asks for one user after the other, until the weights send one to the variant. */
  const call = async () => {
    for (;;) {
      users += 1;
      const answered = await infer(gateway, { headers: { 'x-user-id': `user-${users}` } });
      if (answered.reason !== 'split' || answered.variant !== 'digits-cnn=v1') return answered;
    }
  };
  expect(await call()).toMatchObject({ status: 200, variant: 'digits-cnn=v3', value: 42 });

  server.behaviour = ({ socket }) => socket?.resetAndDestroy();
  for (let count = 0; count < 4; count += 1) {
    expect(stateOf(gateway)?.kind).toBe('waiting_for_approval');
    expect(await call()).toMatchObject({ status: 200, reason: 'fallback', value: 7 });
  }
  await eventually(() => stateOf(gateway)?.kind === 'rolled_back');
  const state = stateOf(gateway);
  expect(state !== undefined && 'cause' in state && state.cause.message).toBe(
    'v3: 4 requests in a row failed',
  );
});
