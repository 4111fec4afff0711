import { expect, test } from 'vitest';
import { MessageFrames } from '../../../../gateway/faces/grpc/message-frames.ts';

/** Messages of so many bytes, as they go over the wire. */
function framed(lengths: readonly number[]): Buffer {
  return Buffer.concat(
    lengths.flatMap((length) => {
      const head = Buffer.alloc(5);
      head.writeUInt32BE(length, 1);
      return [head, Buffer.alloc(length, 0xff)];
    }),
  );
}

const LENGTHS = [0, 1, 300, 0, 70_000, 7];

test.each([1, 2, 3, 4, 5, 6, 7, 299, 65_536, 1_000_000])(
  'messages are told apart when their bytes come %d at a time',
  (step) => {
    const bytes = framed(LENGTHS);
    const frames = new MessageFrames();
    const ended: number[] = [];
    for (let at = 0; at < bytes.length; at += step) ended.push(...frames.read(bytes.subarray(at, at + step)));
    expect(ended).toEqual(LENGTHS.map((length) => length + 5));
    expect(frames.isMidway).toBe(false);
  },
);

test('within a message, and within its head, the call is midway', () => {
  const frames = new MessageFrames();
  const bytes = framed([10]);
  expect(frames.isMidway).toBe(false);
  for (const [from, to] of [
    [0, 1],
    [1, 5],
    [5, 14],
  ]) {
    frames.read(bytes.subarray(from, to));
    expect(frames.isMidway).toBe(true);
  }
  frames.read(bytes.subarray(14));
  expect(frames.isMidway).toBe(false);
});
