import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually, metricValue } from '../running-gateway.ts';
import { BODY, infer, startUpstreamGateway } from './upstream-gateway.ts';
import { ANSWER, answers42, json, startVariantServer } from './variant-server.ts';
import type { Behaviour, VariantServer } from './variant-server.ts';

let server: VariantServer;
beforeEach(async () => {
  server = await startVariantServer();
});
afterEach(() => server[Symbol.asyncDispose]());

/** No retries, and a breaker that stays out of it. */
const PLAIN = { retries: 0, breaker: { failures: 100 } };

/** For servers that never answer: on a busy machine one that does may take longer. */
const HURRIED = { ...PLAIN, timeouts: { headers: '300ms', total: '600ms' } };

const PAGE = '<!doctype html><title>Who are you?</title>';

const TEXT = JSON.stringify(ANSWER);

const raw =
  (text: string, end = true): Behaviour =>
  ({ socket }) => {
    socket?.write(text);
    if (end) socket?.end();
  };

const FAULTS: readonly (readonly [string, Behaviour, result: string, status: number])[] = [
  ['resets the connection', ({ socket }) => socket?.resetAndDestroy(), 'reset', 503],
  ['closes it without a word', ({ socket }) => socket?.end(), 'reset', 503],
  [
    'breaks off in the middle of its answer',
    raw(`HTTP/1.1 200 OK\r\ncontent-length: ${TEXT.length}\r\n\r\n${TEXT.slice(0, 20)}`),
    'reset',
    503,
  ],
  [
    'announces more than it sends',
    raw(`HTTP/1.1 200 OK\r\ncontent-length: ${TEXT.length + 9}\r\n\r\n${TEXT}`),
    'reset',
    503,
  ],
  ['sends no headers', () => undefined, 'slow', 504],
  [
    'sends half of its answer and waits',
    raw(`HTTP/1.1 200 OK\r\ncontent-length: ${TEXT.length}\r\n\r\n{`, false),
    'slow',
    504,
  ],
  ['answers with what is not HTTP', raw('garbage\r\n\r\n'), 'garbage', 502],
  ['answers with nothing', (response) => void response.writeHead(204).end(), 'garbage', 502],
  [
    'answers with a page, as a login in front of it does',
    (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE),
    'garbage',
    502,
  ],
  [
    'answers with a page that is passed on as it comes',
    (response) => {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).flushHeaders();
      response.end(PAGE);
    },
    'garbage',
    502,
  ],
  [
    'is overloaded',
    (response) => {
      json(response, 503, { error: 'queue full' });
    },
    'status',
    503,
  ],
  [
    'asks for another key',
    (response) => {
      json(response, 401, { error: 'who are you?' });
    },
    'status',
    503,
  ],
  [
    'redirects',
    (response) => {
      response.writeHead(307, { location: 'http://127.0.0.1:1/elsewhere' }).end();
    },
    'status',
    503,
  ],
];

describe('a server that', () => {
  test.each(FAULTS)('%s gives way to the control, reason fallback', async (_, behaviour, result) => {
    server.behaviour = behaviour;
    const upstream = result === 'slow' ? HURRIED : PLAIN;
    await using gateway = await startUpstreamGateway(server.url, { upstream });
    expect(await infer(gateway)).toMatchObject({
      status: 200,
      variant: 'digits-cnn=v1',
      reason: 'fallback',
      value: 7,
    });
    const text = await gateway.metrics();
    expect(metricValue(text, 'signalbox_upstream_tries_total', { variant: 'v3', result })).toBe(1);
    expect(metricValue(text, 'signalbox_requests_total', { variant: 'v3' })).toBe(0);
    expect(metricValue(text, 'signalbox_exposures_total', { variant: 'v3' })).toBe(0);
    expect(metricValue(text, 'signalbox_requests_total', { variant: 'v1', reason: 'fallback' })).toBe(1);
  });

  test.each(FAULTS)('%s is an error with onUnavailable: error', async (_, behaviour, result, status) => {
    server.behaviour = behaviour;
    await using gateway = await startUpstreamGateway(server.url, {
      upstream: result === 'slow' ? HURRIED : PLAIN,
      experiment: { onUnavailable: 'error' },
    });
    const answer = await infer(gateway);
    expect(answer.status).toBe(status);
    expect(answer.error).toContain("the variant's server");
    expect(answer.error).not.toContain(server.url.slice('http://'.length));
    const outcome = status === 504 ? 'timeout' : 'error';
    expect(metricValue(await gateway.metrics(), 'signalbox_requests_total', { variant: 'v3', outcome })).toBe(
      1,
    );
  });
});

test('a server that went away between two checks gives way to the control', async () => {
  await using gateway = await startUpstreamGateway(server.url, { upstream: PLAIN });
  expect(await infer(gateway)).toMatchObject({ value: 42, reason: 'split' });
  await server.shut();
  expect(await infer(gateway)).toMatchObject({ value: 7, reason: 'fallback' });
});

test('500 is the model’s own failure: it is counted as the variant’s, and nobody else answers', async () => {
  server.behaviour = (response) => {
    json(response, 500, { error: 'Traceback (most recent call last): secret' });
  };
  await using gateway = await startUpstreamGateway(server.url, { upstream: PLAIN });
  const answer = await infer(gateway);
  expect(answer).toMatchObject({ status: 500 });
  expect(answer.error).not.toContain('secret');
  const labels = { variant: 'v3', reason: 'split', outcome: 'error' };
  expect(metricValue(await gateway.metrics(), 'signalbox_requests_total', labels)).toBe(1);
});

test('a refusal that is the caller’s mistake is passed on in the server’s own words', async () => {
  server.behaviour = (response) => {
    json(response, 400, { error: 'unexpected shape' });
  };
  await using gateway = await startUpstreamGateway(server.url, { upstream: PLAIN });
  expect(await infer(gateway)).toMatchObject({
    status: 400,
    error: 'unexpected shape',
    variant: 'digits-cnn=v3',
  });
  const labels = { variant: 'v3', outcome: 'client_error' };
  expect(metricValue(await gateway.metrics(), 'signalbox_requests_total', labels)).toBe(1);
});

test('a request is sent again where that may help, and nobody notices', async () => {
  const once: Behaviour = ({ socket }) => {
    server.behaviour = answers42;
    socket?.resetAndDestroy();
  };
  server.behaviour = once;
  await using gateway = await startUpstreamGateway(server.url, { upstream: { ...PLAIN, retries: 1 } });
  expect(await infer(gateway)).toMatchObject({ value: 42, reason: 'split' });
  expect(server.arrived.map(({ body }) => body.toString())).toEqual([BODY, BODY]);
  expect(metricValue(await gateway.metrics(), 'signalbox_upstream_retries_total', { variant: 'v3' })).toBe(1);
});

test('a time that ran out is not tried again', async () => {
  server.behaviour = () => undefined;
  await using gateway = await startUpstreamGateway(server.url, { upstream: { ...HURRIED, retries: 3 } });
  expect(await infer(gateway)).toMatchObject({ reason: 'fallback' });
  expect(server.arrived).toHaveLength(1);
});

test('what the caller got a part of is not tried again', async () => {
  const large = 'x'.repeat(200_000);
  server.behaviour = raw(
    `HTTP/1.1 200 OK\r\ncontent-length: ${large.length}\r\n\r\n${large.slice(0, 100_000)}`,
  );
  await using gateway = await startUpstreamGateway(server.url, { upstream: { ...PLAIN, retries: 3 } });
  await expect(infer(gateway)).rejects.toThrow();
  expect(server.arrived).toHaveLength(1);
  const counted = async (): Promise<number> =>
    metricValue(await gateway.metrics(), 'signalbox_requests_total', { variant: 'v3', outcome: 'error' });
  await eventually(async () => (await counted()) === 1);
});

test('retries stay within a fifth of the requests', async () => {
  server.behaviour = (response) => {
    json(response, 503, {});
  };
  await using gateway = await startUpstreamGateway(server.url, {
    upstream: { ...PLAIN, breaker: { failures: 100 }, retries: 3 },
    experiment: { onUnavailable: 'error' },
  });
  for (let request = 0; request < 60; request++) await infer(gateway);
  const text = await gateway.metrics();
  // Ten that were saved up, and a fifth of the sixty, of which the first found the budget full.
  expect(metricValue(text, 'signalbox_upstream_retries_total', { variant: 'v3' })).toBe(21);
});

test('a server that fails again and again is left alone, and tried again by a single request', async () => {
  server.behaviour = (response) => {
    json(response, 503, {});
  };
  await using gateway = await startUpstreamGateway(server.url, {
    upstream: { ...PLAIN, breaker: { failures: 3, openFor: '1s' } },
  });
  const startMs = performance.now();
  for (let request = 0; request < 10; request++) {
    expect(await infer(gateway)).toMatchObject({ reason: 'fallback', value: 7 });
  }
  const failed = server.arrived.length;
  const openings = Math.floor((performance.now() - startMs) / 1000);
  expect(failed).toBeGreaterThanOrEqual(3);
  expect(failed).toBeLessThanOrEqual(3 + openings);
  server.behaviour = answers42;
  await eventually(async () => (await infer(gateway)).reason === 'split');
  expect(server.arrived).toHaveLength(failed + 1);
});

test('a server that hangs is left alone, though its callers stop waiting before its own times are over', async () => {
  server.behaviour = () => undefined;
  await using gateway = await startUpstreamGateway(server.url, {
    config: 'timeouts: { inference: 300ms }',
    upstream: { retries: 0, breaker: { failures: 3, openFor: '1h' } },
  });
  // A request whose time is over before it was sent, or as soon as it was, says nothing about the server.
  await eventually(async () => {
    const before = server.arrived.length;
    const answer = await infer(gateway);
    if (server.arrived.length > before) expect(answer).toMatchObject({ status: 504 });
    return answer.reason === 'fallback';
  });
  const arrived = server.arrived.length;
  expect(arrived).toBeGreaterThanOrEqual(3);
  for (let call = 0; call < 3; call++) expect(await infer(gateway)).toMatchObject({ reason: 'fallback' });
  expect(server.arrived).toHaveLength(arrived);
});

test('a caller that hangs up on the request that tries again decides nothing: one more tries, and no others', async () => {
  server.behaviour = (response) => {
    json(response, 503, {});
  };
  await using gateway = await startUpstreamGateway(server.url, {
    upstream: { retries: 0, breaker: { failures: 2, openFor: '50ms' } },
  });
  for (let request = 0; request < 2; request++)
    expect(await infer(gateway)).toMatchObject({ reason: 'fallback' });
  server.behaviour = () => undefined;
  const controller = new AbortController();
  const ask = (): Promise<unknown> => infer(gateway, { signal: controller.signal }).catch(() => undefined);
  const tries = eventually(() => server.arrived.length === 3);
  // One after the other: of one that is still on its way when the caller hangs up nobody knows whether it tries too.
  await eventually(async () => {
    await Promise.race([ask(), tries]);
    return server.arrived.length === 3;
  });
  controller.abort();
  const labels = { variant: 'v3', result: 'cancelled' };
  await eventually(
    async () => metricValue(await gateway.metrics(), 'signalbox_upstream_tries_total', labels) === 1,
  );
  const others = new AbortController();
  const reasons: unknown[] = [];
  for (let request = 0; request < 3; request++) {
    infer(gateway, { signal: others.signal }).then(
      ({ reason }) => reasons.push(reason),
      () => undefined,
    );
  }
  await eventually(() => reasons.length === 2 && server.arrived.length === 4);
  expect(reasons).toEqual(['fallback', 'fallback']);
  others.abort();
});

test('checks make the variant ready or not, and both are told', async () => {
  server.isHealthy = false;
  await using gateway = await startUpstreamGateway(server.url, {
    upstream: { ...PLAIN, health: { interval: '20ms', unhealthyAfter: 2 } },
  });
  expect(await infer(gateway)).toMatchObject({ reason: 'fallback' });
  expect(metricValue(await gateway.metrics(), 'signalbox_upstream_ready', { variant: 'v3' })).toBe(0);
  server.isHealthy = true;
  await eventually(async () => (await infer(gateway)).reason === 'split');
  expect(metricValue(await gateway.metrics(), 'signalbox_upstream_ready', { variant: 'v3' })).toBe(1);
  server.isHealthy = false;
  await eventually(async () => (await infer(gateway)).reason === 'fallback');
  expect(gateway.log.join('')).toContain("a variant's server is not ready");
});

test('the log says why no connection to a server can be had, as that its certificate is not trusted', async () => {
  await server.shut();
  await using gateway = await startUpstreamGateway(server.url);
  const line = gateway.log.find((text) => text.includes("a variant's server is not ready")) ?? '{}';
  expect(JSON.parse(line)).toMatchObject({
    reason: "no connection to the variant's server can be had",
    err: { message: expect.stringContaining('ECONNREFUSED') as string },
  });
});

test('with onUnavailable: error a variant that is not ready says why', async () => {
  server.isHealthy = false;
  await using gateway = await startUpstreamGateway(server.url, { experiment: { onUnavailable: 'error' } });
  const answer = await infer(gateway);
  expect(answer).toMatchObject({ status: 503, variant: 'digits-cnn=v3', reason: 'split' });
  expect(answer.error).toMatch(
    /^variant v3 of experiment digits-cnn can't answer: its server is not ready: GET/,
  );
});

test('a caller that hangs up ends its request at the server', async () => {
  server.behaviour = () => undefined;
  await using gateway = await startUpstreamGateway(server.url);
  const controller = new AbortController();
  const answer = infer(gateway, { signal: controller.signal });
  await eventually(() => server.arrived.length === 1);
  controller.abort();
  await expect(answer).rejects.toThrow();
  await server.hungUp;
  const labels = { variant: 'v3', outcome: 'cancelled' };
  await eventually(
    async () => metricValue(await gateway.metrics(), 'signalbox_requests_total', labels) === 1,
  );
});

test('the caller’s own deadline ends it too, and a server that gave nothing until then has failed once', async () => {
  server.behaviour = () => undefined;
  await using gateway = await startUpstreamGateway(server.url, { config: 'timeouts: { inference: 500ms }' });
  expect(await infer(gateway)).toMatchObject({ status: 504 });
  await server.hungUp;
  expect(metricValue(await gateway.metrics(), 'signalbox_upstream_tries_total', { result: 'expired' })).toBe(
    1,
  );
});

test('while one caller’s request hangs, the others are answered', async () => {
  let held: ServerResponse | undefined;
  server.behaviour = (response, arrived) => {
    if (held === undefined) held = response;
    else answers42(response, arrived);
  };
  await using gateway = await startUpstreamGateway(server.url, { upstream: PLAIN });
  const hanging = infer(gateway);
  await eventually(() => server.arrived.length === 1);
  const others = await Promise.all(Array.from({ length: 50 }, () => infer(gateway)));
  expect(new Set(others.map(({ value }) => value))).toEqual(new Set([42]));
  held?.destroy();
  expect(await hanging).toMatchObject({ reason: 'fallback' });
});
