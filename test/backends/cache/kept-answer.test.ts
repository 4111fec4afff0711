import { describe, expect, test } from 'vitest';
import { keep, readAnswer, writeAnswer } from '../../../backends/cache/kept-answer.ts';
import { MemoryAnswers } from '../../../backends/cache/memory-answers.ts';
import type { Tensor } from '../../../backends/tensor/tensor.ts';

const OUTPUTS: readonly Tensor[] = [
  { name: 'odd', datatype: 'UINT8', shape: [3], data: Uint8Array.of(1, 2, 3) },
  { name: 'wide', datatype: 'INT64', shape: [2], data: BigInt64Array.of(-1n, 2n ** 62n) },
  { name: 'float', datatype: 'FP32', shape: [1, 3], data: Float32Array.of(NaN, -0, Infinity) },
  { name: 'empty', datatype: 'FP64', shape: [0], data: new Float64Array() },
  { name: 'text', datatype: 'BYTES', shape: [3], data: ['é', '', Uint8Array.of(0xff)] },
];

test('an answer that is written is read as it was, every type of it', () => {
  const read = readAnswer(writeAnswer(keep(OUTPUTS)));
  expect(read).toEqual(keep(OUTPUTS));
});

test('what is cut off, or is something else, is no answer', () => {
  const written = writeAnswer(keep(OUTPUTS));
  for (const length of [0, 3, 10, written.length - 1])
    expect(readAnswer(written.subarray(0, length))).toBeUndefined();
  expect(readAnswer(Buffer.from('hello, world'))).toBeUndefined();
});

test('an answer is kept in memory of its own', () => {
  const lent = Float32Array.of(1);
  const kept = keep([{ name: 'o', datatype: 'FP32', shape: [1], data: lent }]);
  lent[0] = 2;
  expect(kept.outputs[0]?.data[0]).toBe(1);
});

describe('answers in memory', () => {
  const answer = (bytes: number) =>
    keep([{ name: 'o', datatype: 'UINT8', shape: [bytes], data: new Uint8Array(bytes) }]);
  const each = answer(1000).bytes;

  test('stay within their bytes; what was used longest ago goes first', () => {
    const answers = new MemoryAnswers({ maxBytes: 3 * each, ttlMs: 1000 });
    for (const key of ['a', 'b', 'c']) answers.set(key, answer(1000));
    answers.get('a');
    answers.set('d', answer(1000));
    expect(['a', 'b', 'c', 'd'].map((key) => answers.get(key) !== undefined)).toEqual([
      true,
      false,
      true,
      true,
    ]);
    expect(answers.bytes).toBe(3 * each);
  });

  test('are counted with what JavaScript needs around them', () => {
    expect(each).toBeGreaterThan(1000 + 512);
  });

  test('one that is larger than all may be together leaves the others alone', () => {
    const answers = new MemoryAnswers({ maxBytes: 2 * each, ttlMs: 1000 });
    answers.set('a', answer(1000));
    answers.set('b', answer(10_000));
    expect([answers.get('a') !== undefined, answers.get('b')]).toEqual([true, undefined]);
  });

  test('are good for their time, and take no room after it', () => {
    let nowMs = 0;
    const answers = new MemoryAnswers({ maxBytes: 10 * each, ttlMs: 1000, nowMs: () => nowMs });
    answers.set('a', answer(1000));
    nowMs = 999;
    expect(answers.get('a')).toBeDefined();
    nowMs = 1000;
    expect(answers.get('a')).toBeUndefined();
    expect([answers.size, answers.bytes]).toEqual([0, 0]);
  });
});
