import { expect, test } from 'vitest';
import { KeyIndex, keyText, parseKey } from '../../../../experiments/stores/memory/key-index.ts';
import { seededRandom } from '../../../../bench/simulations/random.ts';

const HALF = 2 ** 32;

test('keys keep their rows while it grows, neighbours, equal halves and the extremes too', () => {
  const random = seededRandom(7);
  const half = (): number => Math.floor(random() * HALF);
  const texts = new Set<string>();
  for (let index = 0; index < 3000; index++) {
    texts.add(keyText(0, index));
    texts.add(keyText(index, 0));
    texts.add(keyText(half(), half()));
  }
  texts.add(keyText(HALF - 1, HALF - 1));
  const index = new KeyIndex();
  const rows = new Map<string, number>();
  for (const text of texts) {
    expect(index.find(parseKey(text))).toBe(-1);
    rows.set(text, index.add(parseKey(text)));
  }
  expect(index.size).toBe(texts.size);
  expect([...rows.values()]).toEqual(Array.from(texts, (_, row) => row));
  for (const [text, row] of rows) {
    expect(index.find(parseKey(text))).toBe(row);
    const { high, low } = index.keyAt(row);
    expect(keyText(high, low)).toBe(text);
  }
});

test.each(['', 'abc', '0000000000000000f', '000000000000000G', '00000000 0000000'])(
  '"%s" is refused, and not taken for another key',
  (text) => {
    expect(() => parseKey(text)).toThrow('expected 16 hexadecimal digits');
  },
);
