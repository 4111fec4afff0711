import Fastify from 'fastify';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { BackendError } from '../../../backends/errors.ts';
import { GatewayError } from '../../../gateway/errors.ts';
import { answerErrors } from '../../../gateway/faces/error-answers.ts';
import { toStatus } from '../../../gateway/faces/grpc/status.ts';

/** The header of an answer over HTTP to a request that the backend refused. */
async function retryAfterOf(error: GatewayError): Promise<unknown> {
  const app = Fastify();
  answerErrors(app, pino({ enabled: false }));
  app.get('/', () => {
    throw error;
  });
  const { headers } = await app.inject('/');
  await app.close();
  return headers['retry-after'];
}

/** Of an answer over gRPC: the same, in seconds, and what a client with a retry policy waits, in milliseconds. */
function overGrpc(error: GatewayError): readonly unknown[] {
  const { metadata } = toStatus(error);
  return ['retry-after', 'grpc-retry-pushback-ms'].map((name) => metadata.get(name)[0]);
}

function refusal(retryAfterMs: number | undefined): GatewayError {
  const cause = new BackendError('queue_full', 'Exceeds maximum queue size', { retryAfterMs });
  return new GatewayError('queue_full', cause.message, { cause });
}

test.each([
  [2500, '3'],
  [20, '1'],
  [undefined, '1'],
  [3_600_000, '60'],
  [Infinity, '60'],
])('a queue that needs %s ms has callers come again after %s s', async (retryAfterMs, seconds) => {
  expect(await retryAfterOf(refusal(retryAfterMs))).toBe(seconds);
  expect(overGrpc(refusal(retryAfterMs))).toEqual([seconds, `${seconds}000`]);
});

test('other refusals of the service say a second, and a mistake of the caller nothing', async () => {
  expect(await retryAfterOf(new GatewayError('model_unavailable', 'not ready'))).toBe('1');
  expect(await retryAfterOf(new GatewayError('invalid_input', 'no'))).toBeUndefined();
  expect(overGrpc(new GatewayError('model_unavailable', 'not ready'))).toEqual(['1', '1000']);
  expect(overGrpc(new GatewayError('invalid_input', 'no'))).toEqual([undefined, undefined]);
});
