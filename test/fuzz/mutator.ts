import { murmur3 } from '../../experiments/murmur3.ts';
import { seededRandom } from '../../bench/simulations/random.ts';

/** Bytes that parsers take for more than they are: ends of ranges, signs, terminators, halves of UTF-8. */
const INTERESTING = [
  0x00, 0x01, 0x7f, 0x80, 0xff, 0x0a, 0x0d, 0x20, 0x22, 0x2c, 0x2e, 0x3a, 0x5b, 0x5c, 0x7b, 0xc0, 0xed,
];

/** Lengths and counts at the ends of their ranges, as four little-endian bytes. */
const NUMBERS = [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff];

/**
 * The input of that number: one of the seeds, changed in one to eight places. It depends on its arguments alone, so that a finding
 * can be made again without those before it.
 *
 * @param tokens words of the format, put in as they are
 */
export function mutated(
  seeds: readonly Uint8Array[],
  tokens: readonly string[],
  campaign: string,
  index: number,
): Buffer {
  const random = seededRandom(murmur3(`${campaign}:${index}`));
  const below = (limit: number): number => Math.floor(random() * limit);
  const pick = <Item>(items: readonly Item[]): Item => {
    const item = items[below(items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  };
  let bytes: Buffer = Buffer.from(pick(seeds));
  const changes = 1 + below(random() < 0.7 ? 2 : 8);
  for (let change = 0; change < changes; change += 1) {
    const at = below(bytes.length + 1);
    switch (below(9)) {
      case 0: {
        if (bytes.length > 0) bytes[Math.min(at, bytes.length - 1)] = pick(INTERESTING);
        break;
      }
      case 1: {
        const place = Math.min(at, bytes.length - 1);
        if (place >= 0) bytes[place] = (bytes[place] ?? 0) ^ (1 << below(8));
        break;
      }
      case 2: {
        // A piece is missing.
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + below(16))]);
        break;
      }
      case 3: {
        // A piece is there twice.
        const piece = bytes.subarray(at, at + 1 + below(64));
        bytes = Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
        break;
      }
      case 4: {
        if (tokens.length > 0)
          bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(pick(tokens)), bytes.subarray(at)]);
        break;
      }
      case 5: {
        // Its end is missing.
        if (random() < 0.5) bytes = bytes.subarray(0, at);
        break;
      }
      case 6: {
        // Goes on as another one does.
        const other = pick(seeds);
        bytes = Buffer.concat([bytes.subarray(0, at), other.subarray(below(other.length + 1))]);
        break;
      }
      case 7: {
        if (bytes.length < 4) break;
        const place = Math.min(at, bytes.length - 4);
        if (random() < 0.5) bytes.writeUInt32LE(pick(NUMBERS), place);
        else bytes.writeUInt32BE(pick(NUMBERS), place);
        break;
      }
      default: {
        const noise = Buffer.from(Array.from({ length: 1 + below(8) }, () => below(256)));
        bytes = Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at)]);
      }
    }
    // What only grows would be a test of size.
    if (bytes.length > 256 * 1024) bytes = bytes.subarray(0, 256 * 1024);
  }
  // A block of its own, as a body that was received has.
  return Buffer.from(bytes);
}
