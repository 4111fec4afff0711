import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { requestKey, uploadKey } from '../../../backends/cache/cache-key.ts';
import type { Tensor } from '../../../backends/tensor/tensor.ts';

interface Asked {
  readonly scope: string;
  readonly inputs: readonly Tensor[];
  readonly wanted: readonly string[];
}

const name = fc.constantFrom('a', 'b', 'ab', '', '"', 'a,b');
const numeric = fc
  .record({
    name,
    datatype: fc.constantFrom('UINT8' as const, 'BOOL' as const),
    data: fc.array(fc.nat(1), { maxLength: 4 }),
    flat: fc.boolean(),
  })
  .map(({ data, flat, ...head }): Tensor => ({
    ...head,
    shape: flat ? [data.length] : [1, data.length],
    data: Uint8Array.from(data),
  }));
const texts = fc
  .record({ name, data: fc.array(fc.constantFrom('', 'a', 'b', 'ab', '\0'), { maxLength: 3 }) })
  .map((tensor): Tensor => ({ ...tensor, datatype: 'BYTES', shape: [tensor.data.length] }));
const asked: fc.Arbitrary<Asked> = fc.record({
  scope: fc.constantFrom('v1', 'v2', ''),
  inputs: fc.uniqueArray(fc.oneof(numeric, texts), { selector: (tensor) => tensor.name, maxLength: 3 }),
  wanted: fc.uniqueArray(name, { maxLength: 2 }),
});

/** All that an answer depends on, as a text of another make than the key's. */
function meaning({ scope, inputs, wanted }: Asked): string {
  const sorted = inputs.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return JSON.stringify({
    scope,
    wanted,
    inputs: sorted.map((tensor) => ({ ...tensor, data: [...tensor.data].map(String) })),
  });
}

test('two requests have one key exactly where everything that an answer depends on is the same', () => {
  fc.assert(
    fc.property(asked, asked, (one, other) => {
      const isSameKey =
        requestKey(one.scope, one.inputs, one.wanted) === requestKey(other.scope, other.inputs, other.wanted);
      expect(isSameKey).toBe(meaning(one) === meaning(other));
    }),
    { numRuns: 5000 },
  );
});

test('the order of the inputs makes no difference', () => {
  fc.assert(
    fc.property(asked, ({ scope, inputs, wanted }) => {
      expect(requestKey(scope, inputs.toReversed(), wanted)).toBe(requestKey(scope, inputs, wanted));
    }),
  );
});

test('uploads are told apart by where one ends and the next begins, and are no tensors', () => {
  const files = (...texts: readonly string[]) => texts.map((text) => Buffer.from(text));
  const keys = [files('ab', 'c'), files('a', 'bc'), files('abc'), files(), files('')].map((list) =>
    uploadKey('v', list),
  );
  expect(new Set(keys).size).toBe(5);
  expect(uploadKey('v', [])).not.toBe(requestKey('v', [], []));
});

test('large inputs have one key where they are the same, byte by byte, whatever memory they stand in; others have others', async () => {
  const bytes = 3 * 1024 * 1024;
  const keyOf = (data: Uint8Array): string | Promise<string> =>
    requestKey('v', [{ name: 'x', datatype: 'UINT8', shape: [bytes], data }], []);
  const one = new Uint8Array(bytes).fill(7);
  const inSharedMemory = new Uint8Array(new SharedArrayBuffer(bytes)).fill(7);
  const another = Uint8Array.from(one);
  another[bytes - 1] = 8;
  expect(keyOf(one)).toBeInstanceOf(Promise);
  expect(await keyOf(inSharedMemory)).toBe(await keyOf(one));
  expect(await keyOf(another)).not.toBe(await keyOf(one));
  // The digest of a large one, sent as an input itself, is not that input.
  const digest = createHash('sha256').update(one).digest();
  expect(requestKey('v', [{ name: 'x', datatype: 'UINT8', shape: [bytes], data: digest }], [])).not.toBe(
    await keyOf(one),
  );
});

test('requests whose names and texts need more room than keys have in common are told apart to their ends', () => {
  const texts = (last: string): Tensor => ({
    ...{ name: 'x'.repeat(50_000), datatype: 'BYTES', shape: [20_001] },
    data: [...Array.from({ length: 20_000 }, () => 'same'), last],
  });
  const keyOf = (last: string): string | Promise<string> => requestKey('v', [texts(last)], []);
  const before = keyOf('a');
  expect(keyOf('b')).not.toBe(before);
  expect(keyOf('a')).toBe(before);
});

test('parts of any length have the key of their bytes, whether they are copied or not', () => {
  const keyOf = (length: number, last: number): string | Promise<string> => {
    const data = new Uint8Array(length).fill(1);
    data[length - 1] = last;
    const small: Tensor = { name: 'b', datatype: 'UINT8', shape: [3], data: Uint8Array.of(1, 2, 3) };
    return requestKey('v', [{ name: 'a', datatype: 'UINT8', shape: [length], data }, small], []);
  };
  const lengths = [1, 16_384, 16_385, 100_000];
  const keys = lengths.flatMap((length) => [keyOf(length, 1), keyOf(length, 2)]);
  expect(new Set(keys).size).toBe(keys.length);
  expect(lengths.flatMap((length) => [keyOf(length, 1), keyOf(length, 2)])).toEqual(keys);
});

test('names that differ in half a character only are two', () => {
  const keyOf = (name: string): string | Promise<string> => requestKey('v', [], [name]);
  expect(keyOf('\ud800')).not.toBe(keyOf('\ud801'));
});
