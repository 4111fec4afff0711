import { beforeEach, expect, test } from 'vitest';
import { Breaker } from '../../../gateway/upstream/breaker.ts';
import type { Verdict } from '../../../gateway/upstream/breaker.ts';
import { Patience } from '../../../gateway/upstream/patience.ts';

let nowMs = 0;
let breaker: Breaker;
beforeEach(() => {
  nowMs = 0;
  breaker = new Breaker({ failures: 3, openForMs: 1000 }, () => nowMs);
});

/** Whether a request was let through that then said so. */
function ask(verdict: Verdict): boolean {
  const judge = breaker.admit();
  judge?.(verdict);
  return judge !== undefined;
}

function open(): void {
  for (let failure = 0; failure < 3; failure++) expect(ask('fails')).toBe(true);
}

test('failures in a row open it, and an answer between them starts the row anew', () => {
  for (const verdict of ['fails', 'fails', 'works', 'fails', 'fails'] as const)
    expect(ask(verdict)).toBe(true);
  expect(ask('fails')).toBe(true);
  expect(ask('works')).toBe(false);
});

test('what is undecided neither counts nor ends the row', () => {
  for (const verdict of ['fails', 'undecided', 'fails', 'undecided', 'fails'] as const) {
    expect(ask(verdict)).toBe(true);
  }
  expect(ask('works')).toBe(false);
});

test('of requests side by side each has its say', () => {
  const judges = Array.from({ length: 4 }, () => breaker.admit());
  judges[0]?.('works');
  for (const judge of judges.slice(1)) judge?.('fails');
  expect(breaker.admit()).toBeUndefined();
});

test('after its time a single request tries, and decides', () => {
  open();
  nowMs = 1000;
  const trial = breaker.admit();
  expect(trial).toBeDefined();
  expect(breaker.admit()).toBeUndefined();
  trial?.('fails');
  nowMs = 1999;
  expect(breaker.admit()).toBeUndefined();
  nowMs = 2000;
  expect(ask('works')).toBe(true);
  expect([ask('fails'), ask('fails'), ask('works')]).toEqual([true, true, true]);
});

test('a trial that ends undecided leaves it open, and the next request tries', () => {
  open();
  nowMs = 1000;
  expect(ask('undecided')).toBe(true);
  const trial = breaker.admit();
  expect(trial).toBeDefined();
  expect(breaker.admit()).toBeUndefined();
});

test('what began before it opened has no say in whether it closes', () => {
  const late = breaker.admit();
  open();
  nowMs = 1000;
  const trial = breaker.admit();
  late?.('works');
  expect(breaker.admit()).toBeUndefined();
  trial?.('fails');
  expect(breaker.admit()).toBeUndefined();
});

test('a wait in vain is held against a server only where its answers take no longer', () => {
  const patience = new Patience();
  expect([patience.isEnough(99), patience.isEnough(100)]).toEqual([false, true]);
  for (let answer = 0; answer < 50; answer++) patience.answered(400);
  expect([patience.isEnough(399), patience.isEnough(401)]).toEqual([false, true]);
});
