import { expect, test } from 'vitest';
import { PendingList } from '../../../backends/batching/pending-list.ts';
import { Pending } from '../../../backends/batching/pending.ts';

function pendingOf(number: number): Pending {
  const request = { inputs: [], deadlineMs: Infinity };
  const nothing = { resolve: () => undefined, reject: () => undefined, hangUp: () => undefined };
  return new Pending(number, request, 1, { lane: '', level: 0, timeoutMs: Infinity }, nothing);
}

function listOf(count: number): { readonly list: PendingList; readonly all: readonly Pending[] } {
  const list = new PendingList();
  const all = Array.from({ length: count }, (_, number) => pendingOf(number));
  for (const pending of all) list.push(pending);
  return { list, all };
}

const numbersIn = (list: PendingList): readonly number[] => [...list].map(({ number }) => number);

test('requests stand in the order in which they came, and leave from wherever they stand', () => {
  for (const gone of [0, 2, 4]) {
    const { list, all } = listOf(5);
    expect(all[gone] && list.remove(all[gone])).toBe(true);
    expect(numbersIn(list)).toEqual([0, 1, 2, 3, 4].filter((number) => number !== gone));
    expect(list.size).toBe(4);
    expect(all[gone] && list.remove(all[gone])).toBe(false);
    list.push(pendingOf(5));
    expect(numbersIn(list).at(-1)).toBe(5);
  }
});

test('what is put back goes before all that came after it', () => {
  const { list, all } = listOf(5);
  const taken = [0, 1, 3].flatMap((number) => all[number] ?? []);
  for (const pending of taken) list.remove(pending);
  for (const pending of taken.toReversed()) list.putBack(pending);
  expect(numbersIn(list)).toEqual([0, 1, 2, 3, 4]);
  list.putBack(pendingOf(9));
  expect(numbersIn(list)).toEqual([0, 1, 2, 3, 4, 9]);
});

test('a list gives up only what is its own', () => {
  const { list, all } = listOf(2);
  const other = listOf(2);
  expect(all[0] && other.list.remove(all[0])).toBe(false);
  expect(numbersIn(list)).toEqual([0, 1]);
  expect(numbersIn(other.list)).toEqual([0, 1]);
});

test('a request that has left leads to none of the others, or memory would keep them with it', () => {
  const { list, all } = listOf(3);
  const places = all.map(({ place }) => place);
  for (const pending of all) list.remove(pending);
  expect(all.map(({ place }) => place)).toEqual([undefined, undefined, undefined]);
  for (const place of places) expect(place).toMatchObject({ previous: undefined, next: undefined });
  expect(numbersIn(list)).toEqual([]);
  list.push(pendingOf(3));
  expect(numbersIn(list)).toEqual([3]);
});
