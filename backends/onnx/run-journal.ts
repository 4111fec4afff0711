/**
 * What runs at this moment, written where it survives a crash of the process: a file that the supervisor holds open and
 * reads when the process is gone. Each worker has a slot of its own and writes to it itself, before and after each run.
 *
 * A slot: the number of members (4 bytes, little-endian), four bytes of nothing, the model's tag (8 bytes), then a digest
 * of 16 bytes for each member. The file is sparse: only what was written takes space.
 */
import { hash } from 'node:crypto';
import { readSync, statSync, writeSync } from 'node:fs';

export const HEADER_BYTES = 16;
export const DIGEST_BYTES = 16;
const TAG_BYTES = 8;

/** Requests a batch may have: as many as the largest `max_batch_size` has rows. */
const MOST_MEMBERS = 65_536;
export const PAGE_BYTES = 4096;
/** Whole pages, so that slots share none. */
export const SLOT_BYTES = PAGE_BYTES + MOST_MEMBERS * DIGEST_BYTES;

/** A request that was running when the process crashed. */
export interface CrashSuspect {
  /** Its model's tag and its digest, in hexadecimal. */
  readonly name: string;
  /** `refused`, after two crashes: not to be run. `suspected`, after one: to be run alone, so that a second blames no other. */
  readonly verdict: 'refused' | 'suspected';
  /** Until when, in milliseconds of `Date.now()`. */
  readonly untilMs: number;
}

/** Processes that died while they ran a model. */
export interface ProcessDeaths {
  /** The model's tag, in hexadecimal. */
  readonly model: string;
  /** When each of them died, in milliseconds of `Date.now()`. */
  readonly atMs: readonly number[];
}

/** A worker's part of the journal. */
export interface JournalSlot {
  /** An open file's descriptor, which all threads of the process share. */
  readonly fd: number;
  readonly slot: number;
  readonly suspects: readonly CrashSuspect[];
}

/** Hands out the slots of a journal; lives on the main thread. */
export class RunJournal {
  readonly #fd: number;
  readonly #suspects: readonly CrashSuspect[];
  readonly #deaths: readonly ProcessDeaths[];
  readonly #used = new Set<number>();

  constructor(fd: number, suspects: readonly CrashSuspect[], deaths: readonly ProcessDeaths[] = []) {
    this.#fd = fd;
    this.#suspects = suspects;
    this.#deaths = deaths;
  }

  /** Whether a process before this one crashed while it opened a session: then one is opened after the other, so that a second crash blames no other. */
  get hasCrashedOpening(): boolean {
    return this.#suspects.some(({ name }) => isOpening(name));
  }

  /**
   * When processes before this one died while they ran a model, in milliseconds of `Date.now()`.
   *
   * @param model as its workers name it: the path of its file
   */
  deathsUnder(model: string): readonly number[] {
    const tag = tagOf(model).toString('hex');
    return this.#deaths.find((deaths) => deaths.model === tag)?.atMs ?? [];
  }

  open(): JournalSlot {
    let slot = 0;
    while (this.#used.has(slot)) slot += 1;
    this.#used.add(slot);
    return { fd: this.#fd, slot, suspects: this.#suspects };
  }

  /** Of a worker that is gone: what it ran when it died is no part of a later crash. */
  close({ slot }: JournalSlot): void {
    writeSync(this.#fd, EMPTY, 0, EMPTY.length, slot * SLOT_BYTES);
    this.#used.delete(slot);
  }
}

/** A slot's count of members while nothing runs. */
export const EMPTY = new Uint8Array(4);

/** The requests that were running when the process ended: with their model's tag, in hexadecimal. */
export function readRunning(fd: number): readonly string[] {
  const found: string[] = [];
  const header = Buffer.alloc(HEADER_BYTES);
  for (let position = 0; readSync(fd, header, 0, HEADER_BYTES, position) === HEADER_BYTES;) {
    const digests = Buffer.alloc(header.readUInt32LE(0) * DIGEST_BYTES);
    const read = readSync(fd, digests, 0, digests.length, position + HEADER_BYTES);
    for (let start = 0; start < read; start += DIGEST_BYTES) {
      found.push(nameOf(header.subarray(8), digests.subarray(start, start + DIGEST_BYTES)));
    }
    position += SLOT_BYTES;
  }
  return found;
}

/** @param model tells a version apart from all others, as the path of its file does */
export function tagOf(model: string): Buffer {
  return hash('sha256', model, 'buffer').subarray(0, TAG_BYTES);
}

/** The tag of the model that a request was for, in hexadecimal. */
export function modelOf(name: string): string {
  return name.slice(0, 2 * TAG_BYTES);
}

/** In the place of the first half of a request's digest, where a session was being opened. */
const OPENING = Buffer.alloc(DIGEST_BYTES / 2);

/** Stands for the opening of a session on a file, as it is now. */
export function openingDigest(modelFile: string): Buffer {
  const { size, mtimeNs, ino } = statSync(modelFile, { bigint: true });
  const file = hash('sha256', `${size}-${mtimeNs}-${ino}`, 'buffer').subarray(0, DIGEST_BYTES / 2);
  return Buffer.concat([OPENING, file]);
}

/** Whether a name stands for the opening of a session, and not for a run. */
export function isOpening(name: string): boolean {
  return name.startsWith(OPENING.toString('hex'), 2 * TAG_BYTES);
}

/** A suspect's name. */
export function nameOf(tag: Buffer, digest: Buffer): string {
  return `${tag.toString('hex')}${digest.toString('hex')}`;
}
