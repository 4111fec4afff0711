import type { Dispatcher } from 'undici';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AnswerStream } from '../../../gateway/upstream/answer-stream.ts';
import { Exchange } from '../../../gateway/upstream/exchange.ts';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Nothing is held back or broken off here. */
const CONTROLLER = {} as Dispatcher.DispatchController;

/** An exchange whose time is over after 200 ms; its short answers are received whole. */
function hurried(): Exchange {
  return new Exchange({
    headersMs: 5000,
    totalMs: 5000,
    deadlineMs: () => 1200,
    signal: undefined,
    holdBytes: 100,
    wholeBytes: undefined,
    takenWithinMs: 5000,
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

describe('a long answer whose caller takes no more of it', () => {
  const PIECE = Buffer.alloc(300_000, 'x');
  const controller = { pause: vi.fn(), resume: vi.fn(), abort: vi.fn() };
  const CONTROLLED = controller as unknown as Dispatcher.DispatchController;

  /** Its first piece is more than what is kept for the caller. */
  async function heldUp(exchange: Exchange): Promise<AnswerStream> {
    exchange.onRequestStart(CONTROLLED);
    exchange.onResponseStart(CONTROLLED, 200, { 'content-length': String(2 * PIECE.length) });
    exchange.onResponseData(CONTROLLED, PIECE);
    const { body } = await exchange.answer;
    if (!(body instanceof AnswerStream)) throw new Error('it was received whole');
    expect(controller.pause).toHaveBeenCalledOnce();
    return body.on('error', () => undefined);
  }

  beforeEach(() => {
    vi.clearAllMocks();
    vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'], now: 0 });
  });

  test('takes none of the server’s time', async () => {
    const body = await heldUp(hurried());
    await vi.advanceTimersByTimeAsync(3000);
    expect([body.errored, body.heldUpMs]).toEqual([null, 3000]);
    body.read();
    expect(controller.resume).toHaveBeenCalled();
    // Now it is the server that is silent for what is left of the time.
    await vi.advanceTimersByTimeAsync(1199);
    await new Promise(setImmediate);
    expect(body.errored).toBeNull();
    await vi.advanceTimersByTimeAsync(2);
    await new Promise(setImmediate);
    expect(body.errored).toMatchObject({ kind: 'expired' });
    expect(body.heldUpMs).toBe(3000);
  });

  test('is cut off when it has waited for its caller for too long, also where all of it is here', async () => {
    for (const isWhole of [false, true]) {
      controller.pause.mockClear();
      const exchange = hurried();
      const body = await heldUp(exchange);
      if (isWhole) {
        exchange.onResponseData(CONTROLLED, PIECE);
        exchange.onResponseEnd();
      }
      await vi.advanceTimersByTimeAsync(4999);
      expect(body.errored).toBeNull();
      await vi.advanceTimersByTimeAsync(1);
      expect(body.errored).toMatchObject({ kind: 'cancelled' });
    }
  });
});
