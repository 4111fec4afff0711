import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ArrivingMessages } from '../../../../gateway/faces/grpc/arriving-messages.ts';
import { BodyBudget } from '../../../../gateway/overload/body-budget.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const MESSAGE = Buffer.from([0, 0, 0, 0, 3, 1, 2, 3]);
/** The head of a message, whose bytes are yet to come. */
const BEGUN = Buffer.from([0, 0, 0, 0, 3]);

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A call that may take a second for a message, and why it was ended. */
function arriving(isStream: boolean) {
  const stream = new PassThrough();
  const refused: unknown[] = [];
  const budget = new BodyBudget(1000);
  const refuse = (error: unknown): void => {
    refused.push(error);
  };
  const messages = new ArrivingMessages({
    stream,
    hold: budget.hold(),
    isStream,
    longestMs: 1000,
    refuse,
  });
  stream.on('data', () => undefined);
  const send = async (bytes: Buffer): Promise<void> => {
    stream.write(bytes);
    await turn();
  };
  return { stream, refused, budget, messages, send };
}

test('a stream that is not read on is not what takes long; once it is, its message has all its time again', async () => {
  const { stream, refused, send } = arriving(true);
  await send(Buffer.concat([MESSAGE, BEGUN]));
  vi.advanceTimersByTime(900);
  stream.pause();
  vi.advanceTimersByTime(10_000);
  stream.resume();
  await turn();
  vi.advanceTimersByTime(900);
  expect(refused).toEqual([]);
  vi.advanceTimersByTime(200);
  expect(refused).toMatchObject([{ code: 'body_timeout' }]);
});

test('each message of a stream has its own time, and none runs between them', async () => {
  const { refused, send } = arriving(true);
  for (let i = 0; i < 3; i++) {
    await send(BEGUN);
    vi.advanceTimersByTime(900);
    await send(MESSAGE.subarray(BEGUN.length));
    vi.advanceTimersByTime(10_000);
  }
  expect(refused).toEqual([]);
});

test('a call for one answer has its time for all that it asks', async () => {
  const { refused, send } = arriving(false);
  await send(MESSAGE);
  vi.advanceTimersByTime(1100);
  expect(refused).toMatchObject([{ code: 'body_timeout' }]);
});

test('of a call for one answer a message counts until it is over, of a stream until it is passed on', async () => {
  for (const isStream of [false, true]) {
    const { stream, budget, messages, send } = arriving(isStream);
    await send(Buffer.concat([MESSAGE, BEGUN]));
    expect(budget.usedBytes).toBe(MESSAGE.length + BEGUN.length);
    expect(messages.passOn(MESSAGE.subarray(BEGUN.length))).toBe(true);
    expect(budget.usedBytes).toBe(isStream ? BEGUN.length : MESSAGE.length + BEGUN.length);
    stream.destroy();
    await turn();
    expect(budget.usedBytes).toBe(0);
  }
});
