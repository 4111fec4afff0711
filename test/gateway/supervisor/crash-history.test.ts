import { expect, test } from 'vitest';
import { CrashHistory, HELD_AGAINST_MS } from '../../../gateway/supervisor/crash-history.ts';

const verdicts = (history: CrashHistory, nowMs: number) =>
  Object.fromEntries(history.suspects(nowMs).map(({ name, verdict }) => [name, verdict]));

test('one crash makes a suspect, a second one within ten minutes has it refused', () => {
  const history = new CrashHistory();
  history.record(['a', 'b'], 0);
  expect(verdicts(history, 0)).toEqual({ a: 'suspected', b: 'suspected' });
  history.record(['b', 'c'], HELD_AGAINST_MS - 1);
  expect(verdicts(history, HELD_AGAINST_MS - 1)).toEqual({ a: 'suspected', b: 'refused', c: 'suspected' });
});

test('a request that runs twice at one crash was at one crash', () => {
  const history = new CrashHistory();
  history.record(['a', 'a'], 0);
  expect(verdicts(history, 0)).toEqual({ a: 'suspected' });
});

test('after ten minutes it is forgotten, and a crash then is its first', () => {
  const history = new CrashHistory();
  history.record(['a'], 0);
  expect(verdicts(history, HELD_AGAINST_MS)).toEqual({});
  history.record(['a'], HELD_AGAINST_MS);
  expect(verdicts(history, HELD_AGAINST_MS)).toEqual({ a: 'suspected' });
});

test('it is refused for ten minutes from the second crash', () => {
  const history = new CrashHistory();
  history.record(['a'], 0);
  history.record(['a'], 1000);
  expect(history.suspects(2000)).toEqual([
    { name: 'a', verdict: 'refused', untilMs: 1000 + HELD_AGAINST_MS },
  ]);
  expect(history.suspects(1000 + HELD_AGAINST_MS)).toEqual([]);
});

test('the crashes of the last ten minutes are told by the model that was running, each once', () => {
  const [one, other] = ['1'.repeat(16), '2'.repeat(16)];
  const history = new CrashHistory();
  history.record([`${one}a`, `${one}b`, `${other}a`], 0);
  history.record([`${one}c`], 1000);
  expect(history.deaths(1000)).toEqual([
    { model: one, atMs: [0, 1000] },
    { model: other, atMs: [0] },
  ]);
  expect(history.deaths(HELD_AGAINST_MS)).toEqual([{ model: one, atMs: [1000] }]);
});
