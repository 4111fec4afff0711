import { describe, expect, test } from 'vitest';
import { countedIn, lostOutcomes, outcomesOf } from '../../bench/chaos/lost-outcomes.ts';
import type { OutcomesAnswer } from '../../bench/chaos/lost-outcomes.ts';
import { experimentFile, metricValue, startGateway } from '../gateway/running-gateway.ts';
import type { RunningGateway } from '../gateway/running-gateway.ts';
import { identityModel } from '../models/onnx-graph.ts';
import { findRedis, startRedis } from '../servers/redis-server.ts';

const found = await findRedis();
const program = found.kind === 'found' ? found.program : '';

const BODY = JSON.stringify({ inputs: [{ name: 'INPUT', shape: [1, 1], datatype: 'FP32', data: [1] }] });

/** The ids of predictions for so many units. */
async function predictions(gateway: RunningGateway, units: number): Promise<readonly string[]> {
  const asked = Array.from({ length: units }, async (_, unit) => {
    const headers = { 'x-user-id': `unit-${unit}` };
    const response = await fetch(gateway.url('/v2/models/digits/infer'), {
      method: 'POST',
      headers,
      body: BODY,
    });
    await response.arrayBuffer();
    return response.headers.get('x-prediction-id') ?? '';
  });
  return Promise.all(asked);
}

describe.skipIf(found.kind === 'missing')('of acknowledged outcomes', () => {
  test('none is lost that a silent Redis could not be asked after, and each is that it forgot', async () => {
    await using redis = await startRedis(program);
    await using gateway = await startGateway({
      config: `state: ${redis.url}\nsecret: a secret of the test\n`,
      files: {
        'models/digits/1/model.onnx': identityModel('FP32', ['batch', 1]),
        'models/digits/2/model.onnx': identityModel('FP32', ['batch', 1]),
        'experiments/a.yaml': experimentFile({
          metrics: [{ name: 'correct', kind: 'proportion', role: 'goal' }],
        }),
      },
    });
    const send = async (body: string): Promise<OutcomesAnswer> =>
      (await fetch(gateway.url('/v1/outcomes'), { method: 'POST', body })).json() as Promise<OutcomesAnswer>;
    const spooled = async () => metricValue(await gateway.metrics(), 'signalbox_outcomes_spooled');
    const count = countedIn({ redis: redis.url, experiment: 'digits-cnn', spooled });
    const ids = await predictions(gateway, 5);
    expect(await send(outcomesOf(ids))).toEqual({ accepted: 5, rejected: [] });

    const whileSilent = async (body: string): Promise<OutcomesAnswer> => {
      redis.freeze();
      const answer = await send(body);
      redis.thaw();
      // What makes this a test: they are taken for new, and wait on disk.
      expect(answer.accepted).toBe(5);
      return answer;
    };
    expect(await lostOutcomes(ids, whileSilent, count)).toBe(0);

    await redis.lose();
    expect(await lostOutcomes(ids, send, count)).toBe(5);
  });
});
