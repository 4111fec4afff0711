import type { Dispatcher } from 'undici';
import { afterEach, expect, test, vi } from 'vitest';
import { Exchange } from '../../../gateway/upstream/exchange.ts';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Nothing is held back or broken off here. */
const CONTROLLER = {} as Dispatcher.DispatchController;

/** An exchange whose time is over after 200 ms; its answers are received whole. */
function hurried(): Exchange {
  return new Exchange({
    headersMs: 5000,
    totalMs: 5000,
    deadlineMs: () => 1200,
    signal: undefined,
    holdBytes: 100,
    wholeBytes: undefined,
  });
}

test('a timer that fires a moment early waits on: the time that is over then is the caller’s, not the server’s', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const now = vi.spyOn(performance, 'now').mockReturnValue(1000);
  const exchange = hurried();
  const answer = exchange.answer.catch((error: unknown) => error);
  now.mockReturnValue(1199.9);
  vi.advanceTimersByTime(200);
  now.mockReturnValue(1200.9);
  vi.advanceTimersByTime(1);
  expect(await answer).toMatchObject({ kind: 'expired', waitedMs: expect.closeTo(200.9) as number });
});

test('an answer that waits to be read when the thread has been held up past the time is taken', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const now = vi.spyOn(performance, 'now').mockReturnValue(1000);
  const exchange = hurried();
  now.mockReturnValue(3000);
  vi.advanceTimersByTime(200);
  exchange.onResponseStart(CONTROLLER, 200, { 'content-length': '2' });
  exchange.onResponseData(CONTROLLER, Buffer.from('42'));
  exchange.onResponseEnd();
  expect(await exchange.answer).toMatchObject({ status: 200, body: Buffer.from('42') });
});
