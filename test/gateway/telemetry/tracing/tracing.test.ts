/** Spans as a receiver in another process reads them. */
import { expect, test } from 'vitest';
import { identityModel } from '../../../models/onnx-graph.ts';
import { lookupModel } from '../../../models/small-models.ts';
import { startOtlpReceiver } from '../../../servers/otlp-receiver.ts';
import type { OtlpReceiver, ReceivedSpan } from '../../../servers/otlp-receiver.ts';
import { eventually, experimentFile, metricValue, startGateway } from '../../running-gateway.ts';
import type { RunningGateway } from '../../running-gateway.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';

const BODY = JSON.stringify({
  inputs: [{ name: 'INPUT', shape: [1, 4], datatype: 'FP32', data: [1, 2, 3, 4] }],
});

function startTraced({ endpoint }: OtlpReceiver, sampleRatio: number): Promise<RunningGateway> {
  return startGateway({
    grpc: true,
    config: `telemetry: { otlp: { endpoint: "${endpoint}", headers: { X-Key: abc } }, sampleRatio: ${sampleRatio} }`,
    files: {
      'models/digits/1/model.onnx': identityModel(),
      'models/digits/2/model.onnx': identityModel(),
      'models/lookup/1/model.onnx': lookupModel(),
      'experiments/a.yaml': experimentFile(),
    },
  });
}

function infer(gateway: RunningGateway, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(gateway.url('/v2/models/digits/infer'), { method: 'POST', headers, body: BODY });
}

/** The spans of the requests once the gateway has delivered all of them. */
async function delivered(gateway: RunningGateway, { spans }: OtlpReceiver): Promise<readonly ReceivedSpan[]> {
  await gateway.server.stop();
  // The receiver tells over a channel of its own, after it has answered.
  await eventually(() => spans.some(({ name }) => name.startsWith('infer')));
  return spans;
}

test('a caller’s trace goes on through every stage of its request, and names the decision', async () => {
  using receiver = await startOtlpReceiver();
  await using gateway = await startTraced(receiver, 0);
  const before = Date.now();
  const answer = await infer(gateway, {
    'x-user-id': 'ada',
    traceparent: `00-${TRACE}-${PARENT}-01`,
    tracestate: 'other=1',
  });
  expect(answer.status).toBe(200);
  const spans = await delivered(gateway, receiver);
  const root = spans.find(({ name }) => name === 'infer digits');
  expect(root).toMatchObject({
    traceId: TRACE,
    parentId: PARENT,
    kind: 2,
    status: 0,
    resource: { 'service.name': 'signalbox' },
    attributes: {
      'signalbox.model': 'digits',
      'signalbox.outcome': 'ok',
      'signalbox.prediction.id': answer.headers.get('x-prediction-id'),
      'network.protocol.name': 'http',
    },
  });
  expect(receiver.keys).toEqual(new Set(['abc']));
  const stages = spans.filter(({ parentId }) => parentId === root?.spanId);
  expect(stages.map(({ name }) => name)).toEqual(['admit', 'route', 'decode', 'queue', 'run', 'encode']);
  for (const { traceId, startMs, endMs } of stages) {
    expect(traceId).toBe(TRACE);
    expect(endMs).toBeGreaterThanOrEqual(startMs);
    // The clock of spans and that of the test are read at different moments, to the millisecond.
    expect(startMs).toBeGreaterThanOrEqual(before - 50);
    expect(endMs).toBeLessThanOrEqual((root?.endMs ?? 0) + 0.001);
  }
  const [variant] = (answer.headers.get('x-experiment') ?? '').split('=').slice(1);
  expect(stages.find(({ name }) => name === 'route')?.attributes).toMatchObject({
    'feature_flag.key': 'digits-cnn',
    'feature_flag.provider.name': 'signalbox',
    'feature_flag.result.variant': variant,
    'feature_flag.result.reason': 'split',
    'feature_flag.version': '1.1',
  });
});

test('requests that share a batch are linked to it', async () => {
  using receiver = await startOtlpReceiver();
  await using gateway = await startTraced(receiver, 1);
  const path = gateway.url('/v2/models/digits/versions/1/infer');
  await Promise.all(Array.from({ length: 24 }, () => fetch(path, { method: 'POST', body: BODY })));
  const spans = await delivered(gateway, receiver);
  const named = (wanted: string): readonly ReceivedSpan[] => spans.filter(({ name }) => name === wanted);
  const links = (): readonly string[] =>
    named('batch digits').flatMap((batch) => batch.links.map(({ spanId }) => spanId));
  // Each span is told by itself.
  await eventually(() => [named('infer digits'), named('run'), links()].every(({ length }) => length === 24));
  const [runs, batches, linked] = [named('run'), named('batch digits'), links()];
  expect(linked.toSorted()).toEqual(runs.map(({ spanId }) => spanId).toSorted());
  expect(batches.length).toBe(new Set(runs.map(({ attributes }) => attributes['signalbox.batch.id'])).size);
  for (const { links: members, attributes, parentId } of batches) {
    expect(parentId).toBe('');
    expect(Number(attributes['signalbox.batch.rows'])).toBe(members.length);
  }
  expect(new Set(named('infer digits').map(({ traceId }) => traceId)).size).toBe(24);
});

test('what nobody asked for is not recorded; errors and overrides are, though chance says no', async () => {
  using receiver = await startOtlpReceiver();
  await using gateway = await startTraced(receiver, 0);
  await infer(gateway, { 'x-user-id': 'ada' });
  await infer(gateway, { 'x-user-id': 'bob', traceparent: `00-${TRACE}-${PARENT}-00` });
  await infer(gateway, { 'x-experiment': 'v2' });
  const lost = { name: 'INPUT', shape: [1, 1], datatype: 'INT64', data: [99] };
  const body = JSON.stringify({ inputs: [lost] });
  expect((await fetch(gateway.url('/v2/models/lookup/infer'), { method: 'POST', body })).status).toBe(500);
  await fetch(gateway.url('/v2/models/nothing/infer'), { method: 'POST', body });
  await delivered(gateway, receiver);
  const roots = (): readonly ReceivedSpan[] => receiver.spans.filter(({ name }) => name.startsWith('infer'));
  await eventually(() => roots().length >= 2);
  expect(roots().map(({ name, status, attributes }) => [name, status, attributes['error.type']])).toEqual([
    ['infer digits', 0, undefined],
    ['infer lookup', 2, 'inference_failed'],
  ]);
  expect(roots()[0]?.attributes).toMatchObject({
    'feature_flag.result.reason': 'targeting_match',
    'signalbox.reason': 'override',
  });
});

test('a request that fails in its run has its stages and its batch, and its times are counted', async () => {
  using receiver = await startOtlpReceiver();
  await using gateway = await startTraced(receiver, 0);
  const body = JSON.stringify({ inputs: [{ name: 'INPUT', shape: [1, 1], datatype: 'INT64', data: [99] }] });
  expect((await fetch(gateway.url('/v2/models/lookup/infer'), { method: 'POST', body })).status).toBe(500);
  for (const name of ['queue', 'compute']) {
    const count = metricValue(await gateway.metrics(), `signalbox_${name}_duration_seconds_count`, {
      model: 'lookup',
    });
    expect(count).toBe(1);
  }
  await delivered(gateway, receiver);
  await eventually(() => receiver.spans.some(({ name }) => name === 'batch lookup'));
  const root = receiver.spans.find(({ name }) => name === 'infer lookup');
  const stages = receiver.spans.filter(({ parentId }) => parentId === root?.spanId);
  expect(stages.map(({ name }) => name)).toEqual(['admit', 'route', 'decode', 'queue', 'run']);
  const run = stages.find(({ name }) => name === 'run');
  const batch = receiver.spans.find(({ name }) => name === 'batch lookup');
  expect(batch?.links.map(({ spanId }) => spanId)).toEqual([run?.spanId]);
});

test('a receiver that is away costs no answer; what it missed is counted', async () => {
  const receiver = await startOtlpReceiver();
  await using gateway = await startTraced(receiver, 1);
  receiver[Symbol.dispose]();
  expect((await infer(gateway)).status).toBe(200);
  await eventually(
    async () =>
      metricValue(await gateway.metrics(), 'signalbox_events_dropped_total', { sink: 'traces' }) > 0,
  );
  expect(gateway.log.some((line) => line.includes('spans were not delivered'))).toBe(true);
});

test('a gateway whose receiver is away stops as well as any other', async () => {
  const receiver = await startOtlpReceiver();
  receiver[Symbol.dispose]();
  await using gateway = await startTraced(receiver, 1);
  expect((await infer(gateway)).status).toBe(200);
  expect(await gateway.server.stop()).toBe(true);
});
