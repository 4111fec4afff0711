import { expect, test } from 'vitest';
import { Turns } from '../../../backends/repository/turns.ts';

test('what is done to one model is done in turn, and what is done to another waits for none of it', async () => {
  const turns = new Turns();
  const order: string[] = [];
  const gate = Promise.withResolvers<undefined>();
  const first = turns.take('a', async () => {
    await gate.promise;
    order.push('a, first');
  });
  const second = turns.take('a', () => Promise.resolve(void order.push('a, second')));
  await turns.take('b', () => Promise.resolve(void order.push('b')));
  expect(order).toEqual(['b']);
  expect([turns.isTaken('a'), turns.isTaken('b')]).toEqual([true, false]);
  gate.resolve(undefined);
  await Promise.all([first, second]);
  expect(order).toEqual(['b', 'a, first', 'a, second']);
  expect(turns.isTaken('a')).toBe(false);
});

test('what fails fails for whoever asked for it, and the next one has its turn', async () => {
  const turns = new Turns();
  const failing = turns.take('a', () => Promise.reject(new Error('it is broken')));
  const ended = turns.ended('a');
  const next = turns.take('a', () => Promise.resolve());
  await expect(failing).rejects.toThrow('it is broken');
  await expect(ended).resolves.toBeUndefined();
  await expect(next).resolves.toBeUndefined();
});

test('all of it has ended when the last one has, well or not', async () => {
  const turns = new Turns();
  const gate = Promise.withResolvers<undefined>();
  let isDone = false;
  const failing = turns.take('a', () => Promise.reject(new Error('it is broken')));
  const slow = turns.take('b', async () => {
    await gate.promise;
    isDone = true;
  });
  const ended = turns.allEnded().then(() => isDone);
  await expect(failing).rejects.toThrow();
  gate.resolve(undefined);
  expect(await ended).toBe(true);
  await slow;
});
