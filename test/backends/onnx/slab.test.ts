import { expect, test } from 'vitest';
import { SlabPool } from '../../../backends/onnx/slab.ts';

test('a slab has at least the bytes that were asked for', () => {
  const pool = new SlabPool();
  for (const bytes of [0, 1, 4096, 4097, 100_000]) {
    expect(pool.lease(bytes, 1).buffer.byteLength).toBeGreaterThanOrEqual(bytes);
  }
});

test('memory that was given back is lent again, for any size of about that many bytes', () => {
  const pool = new SlabPool();
  const first = pool.lease(10_000, 1);
  first.release();
  const second = pool.lease(12_000, 1);
  expect(second.buffer).toBe(first.buffer);
});

test('memory that is lent is not lent to anybody else', () => {
  const pool = new SlabPool();
  const slabs = Array.from({ length: 6 }, () => pool.lease(100, 1));
  expect(new Set(slabs.map((slab) => slab.buffer)).size).toBe(6);
});

test('memory is taken back when the last share is given back, not before', () => {
  const pool = new SlabPool();
  const slab = pool.lease(100, 3);
  slab.release();
  slab.release();
  expect(pool.lent).toBe(1);
  expect(pool.lease(100, 1).buffer).not.toBe(slab.buffer);
  slab.release();
  expect(pool.lent).toBe(1);
  expect(pool.lease(100, 1).buffer).toBe(slab.buffer);
});

test('a share that is given back twice is an error, and the memory is not lent to two', () => {
  const pool = new SlabPool();
  const slab = pool.lease(100, 1);
  slab.release();
  expect(() => {
    slab.release();
  }).toThrow('a share of a slab was given back twice');
  expect(pool.lent).toBe(0);
  expect(pool.lease(100, 1).buffer).not.toBe(pool.lease(100, 1).buffer);
});

test('only a few free slabs of a size are kept', () => {
  const pool = new SlabPool();
  const slabs = Array.from({ length: 10 }, () => pool.lease(100, 1));
  const before = new Set(slabs.map((slab) => slab.buffer));
  for (const slab of slabs) slab.release();
  const after = Array.from({ length: 10 }, () => pool.lease(100, 1).buffer);
  expect(after.filter((buffer) => before.has(buffer))).toHaveLength(4);
});
