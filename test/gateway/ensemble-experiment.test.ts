import { afterAll, beforeAll, expect, test } from 'vitest';
import { addingFiles, ensembleConfig } from '../backends/ensemble/ensemble-files.ts';
import { addingModel } from '../models/small-models.ts';
import { GrpcClient } from './faces/grpc/grpc-client.ts';
import { eventually, experimentFile, metricValue, startGateway } from './running-gateway.ts';
import type { RunningGateway } from './running-gateway.ts';

/** An ensemble whose version 1 adds 11 and whose version 2 adds 101, and an experiment over both. */
let gateway: RunningGateway;
let admin: string;
beforeAll(async () => {
  const whole = ensembleConfig(['one INPUT=in -> OUTPUT=mid', 'hundred INPUT=mid -> OUTPUT=out']);
  const files = {
    ...addingFiles(
      ensembleConfig(['one INPUT=in -> OUTPUT=mid', 'ten INPUT=mid -> OUTPUT=out'], {
        more: 'response_cache: { enable: true }',
      }),
    ),
    'hundred/1/model.onnx': addingModel(100),
    'both/2/config.yaml': whole.slice(whole.indexOf('ensemble_scheduling')),
  };
  gateway = await startGateway({
    grpc: true,
    admin: true,
    files: {
      ...Object.fromEntries(Object.entries(files).map(([file, text]) => [`models/${file}`, text])),
      'experiments/both.yaml': experimentFile({
        key: 'both-steps',
        model: 'both',
        hashAttribute: 'x-user-id',
        variants: [
          { name: 'v1', version: 1, weight: 50 },
          { name: 'v2', version: 2, weight: 50 },
        ],
      }),
    },
  });
  admin = `http://${gateway.server.bound.admin ?? ''}`;
});
afterAll(() => gateway[Symbol.asyncDispose]());

const SUM_OF = new Map([
  ['both-steps=v1', 11],
  ['both-steps=v2', 101],
]);

async function ask(headers: Readonly<Record<string, string>>, path = 'both'): Promise<Response> {
  return fetch(gateway.url(`/v2/models/${path}/infer`), {
    method: 'POST',
    headers,
    body: JSON.stringify({ inputs: [{ name: 'in', datatype: 'FP32', shape: [1, 2], data: [0, 0] }] }),
  });
}

const sumIn = async (response: Response): Promise<number | undefined> =>
  ((await response.json()) as { outputs: readonly { data: readonly number[] }[] }).outputs[0]?.data[0];

test('units are split over the ensemble’s versions, and each is answered by its own steps, kept answers too', async () => {
  const seen = new Map<string, number>();
  for (let user = 0; user < 60; user++) {
    const response = await ask({ 'x-user-id': `user-${user}` });
    const variant = response.headers.get('x-experiment') ?? '';
    expect(response.headers.get('x-experiment-reason')).toBe('split');
    expect(response.headers.get('x-cache')).toBe(seen.has(variant) ? 'hit' : 'miss');
    expect(await sumIn(response)).toBe(SUM_OF.get(variant));
    seen.set(variant, (seen.get(variant) ?? 0) + 1);
  }
  // Of 60 at even chances; the split of these names is fixed.
  expect([...seen.keys()].sort()).toEqual(['both-steps=v1', 'both-steps=v2']);
  for (const count of seen.values()) expect(count).toBeGreaterThan(15);
});

test('an override and a pinned call reach the version that they name, and gRPC is routed alike', async () => {
  expect(await sumIn(await ask({ 'x-experiment': 'v2' }))).toBe(101);
  const pinned = await ask({}, 'both/versions/2');
  expect([await sumIn(pinned), pinned.headers.get('x-experiment')]).toEqual([101, null]);
  using client = new GrpcClient(gateway.server.bound.grpc ?? '');
  const { message, headers } = await client.call(
    'ModelInfer',
    {
      model_name: 'both',
      inputs: [{ name: 'in', datatype: 'FP32', shape: [1, 2] }],
      raw_input_contents: [Buffer.alloc(8)],
    },
    { 'x-user-id': 'user-1' },
  );
  const overHttp = await ask({ 'x-user-id': 'user-1' });
  expect(headers['x-experiment']).toBe(overHttp.headers.get('x-experiment'));
  const [output] = message.raw_output_contents as readonly Buffer[];
  expect(output?.readFloatLE(0)).toBe(SUM_OF.get(headers['x-experiment'] ?? ''));
});

test('requests and results are counted under the ensemble and its variants', async () => {
  await ask({ 'x-user-id': 'user-1' });
  await eventually(async () => {
    const results = (await (await fetch(`${admin}/api/experiments/both-steps/results`)).json()) as {
      variants: readonly { units: number }[];
    };
    return results.variants.every(({ units }) => units > 0);
  });
  const metrics = await gateway.metrics();
  for (const version of ['1', '2']) {
    const labels = { model: 'both', version, experiment: 'both-steps', variant: `v${version}` };
    expect(metricValue(metrics, 'signalbox_requests_total', labels)).toBeGreaterThan(0);
  }
});
