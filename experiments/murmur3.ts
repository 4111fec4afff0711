/**
 * MurmurHash3_x86_32 and its finaliser, by Austin Appleby (public domain, SMHasher's `MurmurHash3.cpp`).
 * Results are unsigned 32-bit whole numbers.
 */

const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;

const scratch = new Uint8Array(1024);
const encoder = new TextEncoder();

/** Hashes the UTF-8 bytes of `text`. */
export function murmur3(text: string, seed = 0): number {
  return murmur3Joined([text], seed);
}

/** Hashes the UTF-8 bytes of texts as if they were one; to make them one takes longer than their hash. */
export function murmur3Joined(texts: readonly string[], seed = 0): number {
  let written = 0;
  for (const text of texts) {
    // UTF-8 takes at most three bytes for each UTF-16 code unit.
    if (written + text.length * 3 > scratch.length) return murmur3Bytes(encoder.encode(texts.join('')), seed);
    written += writeAscii(text, written)
      ? text.length
      : encoder.encodeInto(text, scratch.subarray(written)).written;
  }
  return murmur3Bytes(scratch, seed, written);
}

/** Most names are ASCII, and so short that the call of the encoder would cost several times the hash. Returns whether this one is. */
function writeAscii(text: string, start: number): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code > 0x7f) return false;
    scratch[start + index] = code;
  }
  return true;
}

export function murmur3Bytes(bytes: Uint8Array, seed = 0, length = bytes.length): number {
  const byte = (index: number): number => bytes[index] ?? 0;
  let hash = seed;
  const blocksEnd = length - (length % 4);
  for (let i = 0; i < blocksEnd; i += 4) {
    hash ^= scramble(byte(i) | (byte(i + 1) << 8) | (byte(i + 2) << 16) | (byte(i + 3) << 24));
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let i = length - 1; i >= blocksEnd; i--) tail = (tail << 8) | byte(i);
  if (blocksEnd < length) hash ^= scramble(tail);
  return fmix32(hash ^ length);
}

/** The finaliser: each bit of the input flips each bit of the output with probability one half. */
export function fmix32(value: number): number {
  let hash = value;
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  hash ^= hash >>> 16;
  return hash >>> 0;
}

function scramble(block: number): number {
  const mixed = Math.imul(block, C1);
  return Math.imul((mixed << 15) | (mixed >>> 17), C2);
}
