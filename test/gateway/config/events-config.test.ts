import { describe, expect, test } from 'vitest';
import { LEAST, load, refusalsOf } from './config-text.ts';

test('events in Redis need a state in Redis, and each sink has its own keys', async () => {
  const of = (events: string): Promise<readonly string[]> =>
    refusalsOf(`${LEAST}telemetry: { events: ${events} }\n`);
  expect((await of('{ sink: redis }')).join()).toContain('expected a state in Redis');
  expect((await of('{ maxLength: 5 }')).join()).toContain('goes with sink: redis, and the sink is file');
  expect((await of('{ maxSize: 10B }')).join()).toContain('below 1KiB');
  expect((await refusalsOf(`${LEAST}secret: short\n`)).join()).toContain('16 characters at least');
});

describe('events over OTLP', () => {
  const OTLP = 'otlp: { endpoint: "http://collector:4318", headers: { x-key: abc }, serviceName: digits }';
  const events = async (telemetry: string) => (await load(`${LEAST}telemetry: { ${telemetry} }\n`)).events;

  test('go where traces go, with their headers and under their name, unless they say otherwise', async () => {
    expect(await events(`events: { sink: otlp }, ${OTLP}`)).toEqual({
      kind: 'otlp',
      url: 'http://collector:4318/v1/logs',
      headers: { 'x-key': 'abc' },
      timeoutMs: 10_000,
      serviceName: 'digits',
    });
    const own = 'events: { sink: otlp, endpoint: "http://logs:1/in", headers: { a: b }, timeout: 1s }';
    const expected = { kind: 'otlp', url: 'http://logs:1/in', headers: { a: 'b' }, timeoutMs: 1000 };
    expect(await events(`${own}, ${OTLP}`)).toEqual({ ...expected, serviceName: 'digits' });
    expect(await events(own)).toEqual({ ...expected, serviceName: 'signalbox' });
  });

  test('have no place to go where neither is said', async () => {
    expect(await refusalsOf(`${LEAST}telemetry: { events: { sink: otlp } }\n`)).toEqual([
      "signalbox.yaml:3:14: telemetry.events: has no endpoint; expected the receiver's URL for logs, as " +
        'http://collector:4318/v1/logs, or telemetry.otlp beside it',
    ]);
  });
});
