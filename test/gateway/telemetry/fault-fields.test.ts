import { pino } from 'pino';
import { expect, test } from 'vitest';
import { GatewayError } from '../../../gateway/errors.ts';
import { faultFields } from '../../../gateway/telemetry/fault-fields.ts';
import { identityModel } from '../../models/onnx-graph.ts';
import { lookupModel } from '../../models/small-models.ts';
import { experimentFile, startGateway } from '../running-gateway.ts';

const UNROUTED = {
  call: { model: 'digits', header: () => undefined },
  target: undefined,
  identity: undefined,
};

/** The line that pino writes of it. */
function lineOf(error: GatewayError): string {
  let written = '';
  pino({}, { write: (line) => (written = line) }).error(faultFields(error, UNROUTED), error.message);
  return written;
}

function times(line: string | undefined, words: string): number {
  return (line ?? '').split(words).length - 1;
}

test('the line of a failed request says once what went wrong, with whom, and where it came up', async () => {
  await using gateway = await startGateway({
    files: {
      'models/lookup/1/model.onnx': lookupModel(),
      'models/digits/1/model.onnx': 'not ONNX',
      'models/digits/2/model.onnx': identityModel(),
      'experiments/a.yaml': experimentFile({ status: 'paused', onUnavailable: 'error' }),
    },
  });
  const body = JSON.stringify({ inputs: [{ name: 'INPUT', shape: [1, 1], datatype: 'INT64', data: [99] }] });
  const send = (model: string) =>
    fetch(gateway.url(`/v2/models/${model}/infer`), {
      method: 'POST',
      headers: { 'x-request-id': `of-${model}` },
      body,
    });
  expect((await send('lookup')).status).toBe(500);
  expect((await send('digits')).status).toBe(503);

  const failed = gateway.log.find((line) => line.includes('inference_failed'));
  expect(times(failed, 'idx=99 must be within')).toBe(1);
  expect(JSON.parse(failed ?? '')).toMatchObject({
    level: 50,
    code: 'inference_failed',
    model: 'lookup',
    version: '1',
    request_id: 'of-lookup',
    msg: expect.stringContaining('the model failed') as string,
    err: { stack: expect.stringMatching(/^ +at /) as string },
  });
  const refused = gateway.log.find((line) => line.includes('variant_unavailable'));
  expect(times(refused, 'variant v1 of experiment')).toBe(1);
  expect(JSON.parse(refused ?? '')).toMatchObject({ model: 'digits', request_id: 'of-digits' });
  expect(JSON.parse(refused ?? '')).not.toHaveProperty('err');
});

test('a cause that says more than the message is told whole', () => {
  const cause = new Error('socket closed', { cause: new Error('ECONNRESET') });
  const error = new GatewayError('internal', 'internal error', { cause });
  expect(JSON.parse(lineOf(error))).toMatchObject({
    msg: 'internal error',
    err: {
      type: 'Error',
      message: 'socket closed: ECONNRESET',
      stack: expect.stringContaining('at ') as string,
    },
  });
});

test('a cause without words of its own, as of a server that no address answers for, is told with what it is made of', () => {
  const cause = new AggregateError([
    new Error('connect ECONNREFUSED ::1'),
    new Error('connect ECONNREFUSED 127.0.0.1'),
  ]);
  const line = lineOf(new GatewayError('inference_failed', 'no answer', { cause }));
  expect(line).toContain('connect ECONNREFUSED ::1');
});
