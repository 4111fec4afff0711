import { expect, test } from 'vitest';
import { TraceIdentity } from '../../../../gateway/telemetry/tracing/trace-identity.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const never = () => false;
const always = () => true;

test('a caller’s trace goes on, and its wish to be recorded is heeded whatever chance says', () => {
  const asked = new TraceIdentity(`00-${TRACE}-b7ad6b7169203331-01`, undefined, never);
  expect([asked.traceId, asked.isSampled]).toEqual([TRACE, true]);
  expect(asked.traceparent(asked.isSampled)).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));
  const declined = new TraceIdentity(`00-${TRACE}-b7ad6b7169203331-00`, undefined, always);
  expect([declined.isSampled, declined.traceparent(declined.isSampled).slice(-3)]).toEqual([false, '-00']);
});

test('without a trace of the caller’s it has one of its own, the same whenever asked', () => {
  const identity = new TraceIdentity(undefined, undefined, always);
  expect(identity.traceparent(true)).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  expect(identity.traceparent(true)).toBe(identity.traceparent(true));
  expect(new TraceIdentity(undefined, undefined, always).traceId).not.toBe(identity.traceId);
});

test.each([
  'nonsense',
  `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
  `ff-${TRACE}-b7ad6b7169203331-01`,
  `00-${TRACE}-b7ad6b7169203331`,
])('%s is no trace', (header) => {
  expect(new TraceIdentity(header, undefined, never)).toMatchObject({ parent: undefined, isSampled: false });
});
