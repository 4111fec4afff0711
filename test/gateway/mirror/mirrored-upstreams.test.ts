/** Shadows of and on other servers. */
import { expect, test } from 'vitest';
import type { MirrorResult } from '../../../experiments/results/mirror-results.ts';
import { eventually, metricValue } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';
import { infer, startUpstreamGateway } from '../upstream/upstream-gateway.ts';
import { ANSWER, json, startVariantServer } from '../upstream/variant-server.ts';

async function mirrors(gateway: RunningGateway): Promise<readonly MirrorResult[]> {
  const response = await fetch(
    `http://${gateway.server.bound.admin ?? ''}/api/experiments/digits-cnn/results`,
  );
  return ((await response.json()) as { readonly mirrors: MirrorResult[] }).mirrors;
}

/** A copy is dropped where there is no room for it; so asks again until one was compared. */
async function untilCompared(gateway: RunningGateway, ask: () => Promise<unknown>): Promise<MirrorResult> {
  let compared: MirrorResult | undefined;
  await eventually(async () => {
    await ask();
    compared = (await mirrors(gateway)).find((mirror) => mirror.compared > 0);
    return compared !== undefined;
  });
  if (compared === undefined) throw new Error('none was compared');
  return compared;
}

test('a v2 server that is asked for itself is copied too: what is to be copied is decoded, the rest passed on as it came', async () => {
  await using server = await startVariantServer();
  await using gateway = await startUpstreamGateway(server.url, {
    admin: true,
    experiment: { mirror: { variant: 'v1' } },
  });
  // Until anything was copied its counters are there to be seen to rise.
  const known = { experiment: 'digits-cnn', variant: 'v1', result: 'failed' };
  expect(metricValue(await gateway.metrics(), 'signalbox_mirror_requests_total', known)).toBe(0);
  const compared = await untilCompared(gateway, async () => {
    expect(await infer(gateway)).toMatchObject({ status: 200, value: 42, variant: 'digits-cnn=v3' });
  });
  expect(compared).toMatchObject({ variant: 'v3', mirror: 'v1', failed: {} });
});

test('a shadow that tells of no outputs is asked for those that the caller asked for, at no priority', async () => {
  await using server = await startVariantServer(
    (response) => {
      json(response, 200, ANSWER);
    },
    {
      name: 'digits',
      versions: ['1'],
      platform: 'elsewhere',
      inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [-1, 1] }],
      outputs: [],
    },
  );
  await using gateway = await startUpstreamGateway(server.url, {
    admin: true,
    upstream: { tensors: 'json' },
    experiment: {
      variants: [
        { name: 'v1', version: 1, weight: 1 },
        { name: 'v3', weight: 0, upstream: { url: server.url, tensors: 'json' } },
      ],
      mirror: { variant: 'v3' },
    },
  });
  const body = JSON.stringify({
    inputs: [{ name: 'INPUT', shape: [1, 1], datatype: 'FP32', data: [7] }],
    outputs: [{ name: 'OUTPUT' }],
  });
  const compared = await untilCompared(gateway, async () => {
    expect(await infer(gateway, { body })).toMatchObject({ status: 200, value: 7 });
  });
  const asked = JSON.parse(server.arrived[0]?.body.toString() ?? '{}') as Record<string, unknown>;
  expect(asked.parameters ?? {}).not.toHaveProperty('priority');
  expect(compared).toMatchObject({ otherShape: 0 });
});
