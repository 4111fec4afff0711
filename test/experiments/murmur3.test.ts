import { expect, test } from 'vitest';
import { fmix32, murmur3, murmur3Bytes, murmur3Joined } from '../../experiments/murmur3.ts';
import vectors from '../vectors/murmur3.json' with { type: 'json' };

test("the hash gives Wikipedia's published values", () => {
  const hashes = vectors.wikipedia.map(({ text, seed }) => murmur3(text, seed));
  expect(hashes).toEqual(vectors.wikipedia.map(({ hash }) => hash));
});

test('the hash gives the values published on Stack Overflow for hard inputs', () => {
  for (const { hex, seed, hash } of vectors.stackOverflow) {
    expect(murmur3Bytes(Buffer.from(hex, 'hex'), seed), `${hex}, seed ${seed}`).toBe(hash);
  }
});

test('a text of any length, in any script, under any seed, hashes as in the independent implementation', () => {
  for (const { text, seed, hash } of vectors.texts) {
    expect(murmur3(text, seed), `${JSON.stringify(text)}, seed ${seed}`).toBe(hash);
  }
});

// `VerificationTest` in SMHasher's KeysetTest.cpp: keys {}, {0}, {0, 1} … under seeds 256, 255, 254 …, and the hash of all
// the hashes; 0xB0F57EE3 stands beside "Murmur3A" in its main.cpp.
test('SMHasher verifies the hash', () => {
  const key = Uint8Array.from({ length: 256 }, (_, index) => index);
  const hashes = Buffer.alloc(4 * 256);
  for (let length = 0; length < 256; length++) {
    hashes.writeUInt32LE(murmur3Bytes(key.subarray(0, length), 256 - length), 4 * length);
  }
  expect(murmur3Bytes(hashes)).toBe(0xb0f57ee3);
});

test('a text hashes as its UTF-8 bytes', () => {
  for (const text of ['', 'user-1', 'Zürich', '用户'.repeat(300)]) {
    expect(murmur3(text, 7)).toBe(murmur3Bytes(new TextEncoder().encode(text), 7));
  }
});

test('texts hash as if they were one', () => {
  for (const texts of [
    [],
    ['digits', ':', 'user-1'],
    ['Zürich', ':', '用户', 'x'],
    ['用户'.repeat(100), 'x'.repeat(900)],
  ]) {
    expect(murmur3Joined(texts, 7)).toBe(murmur3(texts.join(''), 7));
    expect(murmur3(texts.join(''), 7)).toBe(murmur3Bytes(new TextEncoder().encode(texts.join('')), 7));
  }
});

test('a long text leaves nothing behind that a shorter one would see', () => {
  const before = murmur3('abc');
  murmur3('x'.repeat(300));
  expect(murmur3('abc')).toBe(before);
});

test('only the first bytes count where a length is given', () => {
  const bytes = new TextEncoder().encode('user-1 and more');
  expect(murmur3Bytes(bytes, 0, 6)).toBe(murmur3('user-1'));
});

test('the finaliser gives whole numbers from 0 to 2^32 - 1, different ones for different inputs', () => {
  const inputs = Array.from({ length: 10_000 }, (_, index) => index * 429_497 - 2 ** 31);
  const outputs = inputs.map(fmix32);
  expect(new Set(outputs).size).toBe(inputs.length);
  for (const output of outputs) expect(output >>> 0).toBe(output);
});
