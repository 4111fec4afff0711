import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

/** The random part of a key, in bytes: 256 bits can't be guessed, so they need no slow hash. */
const SECRET_BYTES = 32;

const KEY = /^sb_([a-z0-9]{4,32})_[A-Za-z0-9_-]{43}$/;

/** What an id may look like. */
export const KEY_ID = /^[a-z0-9]{4,32}$/;

/** A key as it is shown once, when it is made, and what is kept of it. */
export interface NewKey {
  /** `sb_<id>_<43 characters>`. */
  readonly text: string;
  readonly id: string;
  /** SHA-256 of the whole text, 64 hexadecimal digits. */
  readonly hash: string;
}

/**
 * @param random a source of random bytes
 * @returns a new key, whose id begins with a letter: digits alone, or with an `e` among them, YAML would take for a number
 */
export function createKey(random: (bytes: number) => Buffer = randomBytes): NewKey {
  const id = `k${random(5).toString('hex')}`;
  const text = `sb_${id}_${random(SECRET_BYTES).toString('base64url')}`;
  return { text, id, hash: hashOf(text).toString('hex') };
}

/** The id that a key's text carries; undefined for a text that is no key. */
export function idOf(text: string): string | undefined {
  return KEY.exec(text)?.[1];
}

/** Whether the text is the key that the hash was kept of; takes the same time wherever they differ. */
export function matches(text: string, kept: Buffer): boolean {
  return timingSafeEqual(hashOf(text), kept);
}

function hashOf(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}
