import { expect, test } from 'vitest';
import { identityModel } from '../../models/onnx-graph.ts';
import { experimentFile, startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';

const BODY = JSON.stringify({
  inputs: [{ name: 'INPUT', shape: [1, 4], datatype: 'FP32', data: [1, 2, 3, 4] }],
});

function startLogging(access: number, more = ''): Promise<RunningGateway> {
  return startGateway({
    config: `telemetry: { logs: { access: ${access} }${more} }`,
    files: {
      'models/digits/1/model.onnx': identityModel(),
      'models/digits/2/model.onnx': identityModel(),
      'experiments/a.yaml': experimentFile(),
    },
  });
}

function accessLines({ log }: RunningGateway): readonly unknown[] {
  return log
    .map((line): unknown => JSON.parse(line))
    .filter((line) => (line as { msg: string }).msg === 'request');
}

test('each request has a line that says where it went, how it ended, and what to find it by', async () => {
  await using gateway = await startLogging(1, ', otlp: { endpoint: "http://127.0.0.1:9" }, sampleRatio: 0');
  const secret = 'Bearer a-secret-of-the-caller';
  const headers = {
    'x-user-id': 'ada@example.org',
    authorization: secret,
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00',
  };
  const answer = await fetch(gateway.url('/v2/models/digits/infer'), { method: 'POST', headers, body: BODY });
  await fetch(gateway.url('/v2/models/nothing/infer'), { method: 'POST', headers, body: BODY });
  const [experiment, variant] = (answer.headers.get('x-experiment') ?? '').split('=');
  expect(accessLines(gateway)).toEqual([
    expect.objectContaining({
      protocol: 'http',
      model: 'digits',
      experiment,
      variant,
      reason: 'split',
      outcome: 'ok',
      total_ms: expect.any(Number) as number,
      queue_ms: expect.any(Number) as number,
      compute_ms: expect.any(Number) as number,
      prediction_id: answer.headers.get('x-prediction-id'),
      trace_id: '0af7651916cd43dd8448eb211c80319c',
      span_id: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
    }),
    expect.objectContaining({ outcome: 'client_error', code: 'unknown_model' }),
  ]);
  const text = gateway.log.join('\n');
  for (const sent of ['ada@example.org', secret]) expect(text).not.toContain(sent);
});

test('a share of the requests has lines, and by default none has', async () => {
  await using some = await startLogging(0.5);
  await using none = await startLogging(0);
  const send = (gateway: RunningGateway) =>
    fetch(gateway.url('/v2/models/digits/infer'), { method: 'POST', body: BODY });
  // All or none of 60 would have a line once in 2^59 runs.
  for (let index = 0; index < 60; index++) await send(some);
  await send(none);
  expect(accessLines(some).length).toBeGreaterThan(0);
  expect(accessLines(some).length).toBeLessThan(60);
  expect(accessLines(none)).toEqual([]);
});
