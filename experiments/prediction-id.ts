import { createHash, timingSafeEqual } from 'node:crypto';
import { HmacKey, writeLatin1 } from './hmac.ts';
import { RandomPool } from './random-bytes.ts';

/** What a prediction id says of the decision behind it. */
export interface Receipt {
  /** When the decision was made, in milliseconds since 1970. */
  readonly issuedMs: number;
  /** 64 random bits as 16 hexadecimal digits: the prediction's name wherever it is stored. */
  readonly uid: string;
  /** The experiment's key; empty for a call that no experiment routed. */
  readonly experiment: string;
  readonly variant: string;
  /** 0 to 65535. */
  readonly phase: number;
  /** Which weights were in force, from `epochOf`. */
  readonly epoch: number;
  /** Whether the request counts in results: its reason was `split` or `sticky`. */
  readonly counts: boolean;
  /** The unit's two hashes as 16 hexadecimal digits; undefined where the request named no unit. */
  readonly unit: string | undefined;
  /** The model's version that answered. */
  readonly version: number;
}

/** A decision as it is about to be signed. */
export interface IssuedDecision {
  readonly issuedMs: number;
  readonly experiment: string;
  readonly variant: string;
  readonly phase: number;
  readonly epoch: number;
  readonly counts: boolean;
  /** Undefined where the request named no unit. */
  readonly unit: UnitKey | undefined;
  readonly version: number;
}

/** A unit without its name: two independent 32-bit hashes of it, each a whole number >= 0. */
export interface UnitKey {
  readonly split: number;
  readonly coverage: number;
}

/** A prediction id that was given back, judged. */
export type VerifiedId =
  | { readonly kind: 'valid'; readonly receipt: Receipt }
  | { readonly kind: 'expired'; readonly issuedMs: number }
  | { readonly kind: 'bad_signature' };

/** How long after its prediction an outcome can count, unless configured: a week. */
export const DEFAULT_MAX_AGE_MS = 7 * 24 * 3_600_000;

/** A secret has to be hard to guess, whoever wrote it. */
export const MIN_SECRET_CHARACTERS = 16;

const FORMAT = 1;
const TAG_BYTES = 16;
/** Where the fields of format 1 begin; the experiment's key with its length, and the variant, close the payload. */
const AT = { format: 0, key: 1, flags: 2, issued: 3, uid: 9, epoch: 17, phase: 21, split: 23, coverage: 27 };
const VERSION_AT = 31;
const NAMES_AT = 39;
const COUNTS = 1;
const HAS_UNIT = 2;

interface SigningKey {
  /** A byte that tells two keys apart most of the time; it says nothing of the secret. */
  readonly id: number;
  readonly key: HmacKey;
}

/**
 * Signs decisions, and reads them back.
 *
 * A prediction id is base64url of payload and tag, where the tag is HMAC-SHA-256 of the payload, cut to 128 bits (RFC 2104,
 * section 5: half of the hash's length). Whoever holds one can read it, but not change it: what an outcome belongs to needs
 * no lookup, and can't be forged. The unit is in it as two seeded hashes, never by its name.
 */
export class PredictionIds {
  #keys: readonly [SigningKey, ...SigningKey[]];
  readonly #random = new RandomPool();

  /**
   * @param secrets the first signs, all are accepted: put a new one first, and take the old one away when the longest
   * attribution window has passed
   * @throws RangeError for a secret of fewer than {@link MIN_SECRET_CHARACTERS} characters
   */
  constructor(secrets: readonly [string, ...string[]]) {
    this.#keys = signingKeys(secrets);
  }

  /** Goes on with other secrets, under the constructor's rules. */
  use(secrets: readonly [string, ...string[]]): void {
    this.#keys = signingKeys(secrets);
  }

  /** Names and signs one prediction; names are ASCII and have 63 characters at most, as definitions hold them to. */
  issue(decision: IssuedDecision): string {
    const { experiment, variant, unit } = decision;
    const [{ id, key }] = this.#keys;
    const bytes = key.message;
    bytes[AT.format] = FORMAT;
    bytes[AT.key] = id;
    bytes[AT.flags] = (decision.counts ? COUNTS : 0) | (unit === undefined ? 0 : HAS_UNIT);
    bytes.writeUIntBE(decision.issuedMs, AT.issued, 6);
    this.#random.writeTo(bytes, AT.uid, 8);
    bytes.writeUInt32BE(decision.epoch, AT.epoch);
    bytes.writeUInt16BE(decision.phase, AT.phase);
    bytes.writeUInt32BE(unit?.split ?? 0, AT.split);
    bytes.writeUInt32BE(unit?.coverage ?? 0, AT.coverage);
    bytes.writeDoubleBE(decision.version, VERSION_AT);
    bytes[NAMES_AT] = experiment.length;
    const variantAt = writeLatin1(bytes, experiment, NAMES_AT + 1);
    const tagAt = writeLatin1(bytes, variant, variantAt);
    const end = writeLatin1(bytes, key.sign(tagAt), tagAt, TAG_BYTES);
    return bytes.toString('base64url', 0, end);
  }

  /**
   * Judges an id that somebody sent.
   *
   * @param maxAgeMs how old it may be
   */
  verify(id: string, nowMs: number, maxAgeMs: number): VerifiedId {
    if (!PREDICTION_ID.test(id)) return BAD_SIGNATURE;
    const bytes = Buffer.from(id, 'base64url');
    // Base64 leaves bits unused at its end; only the one spelling that was issued is taken.
    if (bytes.toString('base64url') !== id) return BAD_SIGNATURE;
    const payload = bytes.subarray(0, bytes.length - TAG_BYTES);
    const tag = bytes.subarray(bytes.length - TAG_BYTES);
    if (payload.length <= NAMES_AT || payload[AT.format] !== FORMAT) return BAD_SIGNATURE;
    const isSigned = this.#keys.some(
      (known) => known.id === payload[AT.key] && timingSafeEqual(tagOf(known.key, payload), tag),
    );
    if (!isSigned) return BAD_SIGNATURE;
    const issuedMs = payload.readUIntBE(AT.issued, 6);
    if (nowMs - issuedMs > maxAgeMs) return { kind: 'expired', issuedMs };
    return { kind: 'valid', receipt: readReceipt(payload, issuedMs) };
  }
}

/** The random name inside an id that this process issued itself; nothing is verified. */
export function uidOf(predictionId: string): string {
  return Buffer.from(predictionId, 'base64url').toString('hex', AT.uid, AT.uid + 8);
}

/** A unit's two hashes as one word of 16 hexadecimal digits. */
export function unitKeyText({ split, coverage }: UnitKey): string {
  return split.toString(16).padStart(8, '0') + coverage.toString(16).padStart(8, '0');
}

const BAD_SIGNATURE: VerifiedId = { kind: 'bad_signature' };

/** From the shortest to the longest payload, in the alphabet of base64url. */
const PREDICTION_ID = /^[A-Za-z0-9_-]{74,243}$/;

function signingKeys([first, ...others]: readonly [string, ...string[]]): readonly [
  SigningKey,
  ...SigningKey[],
] {
  return [signingKey(first), ...others.map(signingKey)];
}

function signingKey(secret: string): SigningKey {
  if (secret.length < MIN_SECRET_CHARACTERS) {
    throw new RangeError(
      `a secret has ${secret.length} characters; expected at least ${MIN_SECRET_CHARACTERS}`,
    );
  }
  const fingerprint = createHash('sha256').update('signalbox prediction id key\0').update(secret).digest();
  return { id: fingerprint[0] ?? 0, key: new HmacKey(secret) };
}

function tagOf(key: HmacKey, payload: Buffer): Buffer {
  payload.copy(key.message);
  return Buffer.from(key.sign(payload.length), 'latin1').subarray(0, TAG_BYTES);
}

function readReceipt(payload: Buffer, issuedMs: number): Receipt {
  const flags = payload[AT.flags] ?? 0;
  const namesAt = NAMES_AT + 1;
  const variantAt = namesAt + (payload[NAMES_AT] ?? 0);
  return {
    issuedMs,
    uid: payload.toString('hex', AT.uid, AT.uid + 8),
    experiment: payload.toString('latin1', namesAt, variantAt),
    variant: payload.toString('latin1', variantAt),
    phase: payload.readUInt16BE(AT.phase),
    epoch: payload.readUInt32BE(AT.epoch),
    counts: (flags & COUNTS) !== 0,
    unit: (flags & HAS_UNIT) === 0 ? undefined : payload.toString('hex', AT.split, AT.coverage + 4),
    version: payload.readDoubleBE(VERSION_AT),
  };
}
