import { afterEach, expect, test, vi } from 'vitest';
import { Exchange } from '../../../gateway/upstream/exchange.ts';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

test('a timer that fires a moment early waits on: the time that is over then is the caller’s, not the server’s', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const now = vi.spyOn(performance, 'now').mockReturnValue(1000);
  const exchange = new Exchange({
    headersMs: 5000,
    totalMs: 5000,
    deadlineMs: () => 1200,
    signal: undefined,
    holdBytes: 0,
    wholeBytes: undefined,
  });
  const answer = exchange.answer.catch((error: unknown) => error);
  now.mockReturnValue(1199.9);
  vi.advanceTimersByTime(200);
  now.mockReturnValue(1200.9);
  vi.advanceTimersByTime(1);
  expect(await answer).toMatchObject({ kind: 'expired', waitedMs: expect.closeTo(200.9) as number });
});
