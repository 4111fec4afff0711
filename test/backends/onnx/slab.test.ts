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

const MIB = 1024 * 1024;

test('free slabs are kept up to 64 MiB and 64 of them: those that were free for longest go', () => {
  const pool = new SlabPool();
  const large = Array.from({ length: 12 }, () => pool.lease(8 * MIB, 1));
  for (const slab of large) slab.release();
  expect(pool.freeBytes).toBe(64 * MIB);
  expect(pool.lease(8 * MIB, 1).buffer).toBe(large.at(-1)?.buffer);
  const small = Array.from({ length: 100 }, () => pool.lease(100, 1));
  for (const slab of small) slab.release();
  expect(pool.freeBytes).toBe(64 * 4096);
});

test('one slab is kept whatever its size', () => {
  const pool = new SlabPool();
  const huge = pool.lease(128 * MIB, 1);
  huge.release();
  expect(pool.lease(128 * MIB, 1).buffer).toBe(huge.buffer);
});
