import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../../gateway/errors.ts';
import { BodyBudget } from '../../../gateway/overload/body-budget.ts';
import { LoadShedder } from '../../../gateway/overload/load-shedder.ts';
import type { Queue } from '../../../gateway/overload/load-shedder.ts';
import { LoopDelay } from '../../../gateway/overload/loop-delay.ts';
import type { Priority } from '../../../gateway/trust/priority.ts';
import { eventually } from '../running-gateway.ts';

const config = { waitMs: 1000, eventLoopDelayMs: 200, heapShare: 0.9, bodyBytes: 1000 };

/** A shedder over a process in that state, and why it turned requests away. */
function shedderOver(ms: number, share: number) {
  const reasons: string[] = [];
  const shedder = new LoadShedder(config, (reason) => reasons.push(reason), { ms }, { share });
  return { shedder, reasons };
}

function refusal(ask: () => void): GatewayError | undefined {
  try {
    ask();
    return undefined;
  } catch (error) {
    return error instanceof GatewayError ? error : expect.fail(String(error));
  }
}

const queueOf = (expectedWaitMs: number | undefined): Queue => ({
  about: { model: 'digits' },
  expectedWaitMs,
});

describe('by the wait that is expected', () => {
  test.each<[Priority, number, boolean]>([
    ['low', 499, true],
    ['low', 501, false],
    ['normal', 999, true],
    ['normal', 1001, false],
    ['high', 1999, true],
    ['high', 2001, false],
  ])('a caller of %s priority who would wait %d ms is let in: %s', (priority, waitMs, isLetIn) => {
    const { shedder } = shedderOver(0, 0);
    const refused = refusal(() => {
      shedder.checkQueue(priority, queueOf(waitMs));
    });
    expect(refused === undefined).toBe(isLetIn);
  });

  test('the answer says why, and when to try again', () => {
    const { shedder, reasons } = shedderOver(0, 0);
    const refused = refusal(() => {
      shedder.checkQueue('normal', queueOf(5200));
    });
    expect(refused).toMatchObject({ code: 'overloaded', status: 503, headers: { 'retry-after': '5' } });
    expect(refused?.message).toBe(
      "there is too much to do: a request for model 'digits' would wait about 5200 ms, and 1000 ms are the most; try again in 5 s",
    );
    expect(reasons).toEqual(['wait']);
  });

  test('an empty queue, or one of which nothing is known, turns nobody away', () => {
    const { shedder } = shedderOver(0, 0);
    for (const queue of [queueOf(0), queueOf(undefined)]) {
      expect(
        refusal(() => {
          shedder.checkQueue('low', queue);
        }),
      ).toBeUndefined();
    }
  });
});

test('a late event loop turns the low away first and the high last', () => {
  const letIn = (ms: number): readonly Priority[] =>
    (['low', 'normal', 'high'] as const).filter(
      (priority) =>
        refusal(() => {
          shedderOver(ms, 0).shedder.checkProcess(priority);
        }) === undefined,
    );
  expect(letIn(99)).toEqual(['low', 'normal', 'high']);
  expect(letIn(101)).toEqual(['normal', 'high']);
  expect(letIn(201)).toEqual(['high']);
  expect(letIn(401)).toEqual([]);
});

test('a heap that is nearly full turns everybody away', () => {
  const { shedder, reasons } = shedderOver(0, 0.95);
  const refused = refusal(() => {
    shedder.checkProcess('high');
  });
  expect(refused?.message).toContain('95 % of the heap is in use');
  expect(reasons).toEqual(['heap']);
});

test('the delay of a loop that stands still shows, and goes away when it runs again', async () => {
  const delay = new LoopDelay();
  delay.start();
  const block = (ms: number): void => {
    const endMs = performance.now() + ms;
    while (performance.now() < endMs);
  };
  await eventually(() => {
    block(200);
    return delay.ms > 50;
  });
  const highestMs = delay.ms;
  await eventually(() => delay.ms < highestMs / 2);
  delay.stop();
});

describe('the memory for bodies', () => {
  test('is given back when a call is answered, and refuses what does not fit', () => {
    const reasons: string[] = [];
    const budget = new BodyBudget(1000, (reason) => reasons.push(reason));
    const [first, second] = [budget.hold(), budget.hold()];
    first.reserve(600);
    expect(() => {
      second.reserve(600);
    }).toThrow('the bodies of the requests under way take as much memory as they may');
    expect(reasons).toEqual(['bodies']);
    second.receive(400);
    first.release();
    expect(budget.usedBytes).toBe(400);
    first.receive(5000);
    expect(budget.usedBytes).toBe(400);
    second.release();
    expect(budget.usedBytes).toBe(0);
  });

  test('always has room for one request, however it comes', () => {
    const budget = new BodyBudget(1000);
    const hold = budget.hold();
    hold.reserve(5000);
    hold.release();
    const inPieces = budget.hold();
    for (let i = 0; i < 5; i++) inPieces.receive(1000);
    expect(budget.usedBytes).toBe(5000);
    inPieces.release();
  });

  test('counts what comes only where it is more than was announced, until it is given back', () => {
    const budget = new BodyBudget(1000);
    const hold = budget.hold();
    hold.reserve(300);
    hold.receive(200);
    expect(budget.usedBytes).toBe(300);
    hold.receive(200);
    expect(budget.usedBytes).toBe(400);
    hold.giveBack(150);
    expect(budget.usedBytes).toBe(250);
    hold.receive(50);
    expect(budget.usedBytes).toBe(300);
    hold.release();
    expect(budget.usedBytes).toBe(0);
  });
});
