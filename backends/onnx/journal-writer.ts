import { writeSync } from 'node:fs';
import { digestMembers } from './member-digests.ts';
import type { KeptBack, RunMessage } from './messages.ts';
import {
  DIGEST_BYTES,
  EMPTY,
  HEADER_BYTES,
  PAGE_BYTES,
  SLOT_BYTES,
  nameOf,
  openingDigest,
  tagOf,
} from './run-journal.ts';
import type { CrashSuspect, JournalSlot } from './run-journal.ts';

/** A worker's own hand on its slot of the journal: writes down what runs, and keeps back what may crash the process again. */
export class JournalWriter {
  readonly #fd: number;
  readonly #position: number;
  readonly #tag: Buffer;
  readonly #suspects: Map<string, CrashSuspect>;
  #record = Buffer.alloc(HEADER_BYTES + 64 * DIGEST_BYTES);

  /**
   * @param model tells the model and version apart from all others, as the path of its file does
   * @throws Error when the file can't be written
   */
  constructor({ fd, slot, suspects }: JournalSlot, model: string) {
    this.#fd = fd;
    this.#position = slot * SLOT_BYTES;
    this.#tag = tagOf(model);
    this.#suspects = new Map(suspects.map((suspect) => [suspect.name, suspect]));
    // From here on the slot's first page has its place on a disk that gets full later.
    writeSync(fd, new Uint8Array(PAGE_BYTES), 0, PAGE_BYTES, this.#position);
  }

  /** Writes the batch down; where some of it is to be kept back nothing is written, and the batch is not to be run. */
  begin(message: RunMessage): KeptBack | undefined {
    const digests = digestMembers(message);
    const keptBack = this.#suspects.size === 0 ? undefined : this.#keptBack(digests);
    if (keptBack !== undefined) return keptBack;
    const bytes = HEADER_BYTES + digests.length * DIGEST_BYTES;
    if (this.#record.length < bytes) this.#record = Buffer.alloc(bytes);
    this.#record.writeUInt32LE(digests.length, 0);
    this.#tag.copy(this.#record, 8);
    digests.forEach((digest, index) => {
      digest.copy(this.#record, HEADER_BYTES + index * DIGEST_BYTES, 0, DIGEST_BYTES);
    });
    writeSync(this.#fd, this.#record, 0, bytes, this.#position);
    return undefined;
  }

  /**
   * Writes down that a session is being opened on a file.
   *
   * @throws Error where the process crashed twice over it
   */
  beginOpening(modelFile: string): void {
    const digest = openingDigest(modelFile);
    const suspect = this.#suspects.get(nameOf(this.#tag, digest));
    if (suspect?.verdict === 'refused' && suspect.untilMs > Date.now()) {
      throw new Error(
        'the server crashed twice while it opened this file; it is not opened again until ten minutes after the second crash, or until it is another file',
      );
    }
    this.#record.writeUInt32LE(1, 0);
    this.#tag.copy(this.#record, 8);
    digest.copy(this.#record, HEADER_BYTES);
    writeSync(this.#fd, this.#record, 0, HEADER_BYTES + DIGEST_BYTES, this.#position);
  }

  end(): void {
    writeSync(this.#fd, EMPTY, 0, EMPTY.length, this.#position);
  }

  #keptBack(digests: readonly Buffer[]): KeptBack | undefined {
    const nowMs = Date.now();
    const refused: number[] = [];
    const suspected: number[] = [];
    digests.forEach((digest, index) => {
      const name = nameOf(this.#tag, digest.subarray(0, DIGEST_BYTES));
      const suspect = this.#suspects.get(name);
      if (suspect === undefined) return;
      if (suspect.untilMs <= nowMs) this.#suspects.delete(name);
      else if (suspect.verdict === 'refused') refused.push(index);
      else if (digests.length > 1) suspected.push(index);
    });
    return refused.length + suspected.length > 0 ? { refused, suspected } : undefined;
  }
}
