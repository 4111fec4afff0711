import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { FileLock } from '../../experiments/stores/file-lock.ts';

const LOCK = 'lock';
/** The place of the first process is the folder itself; the others' are in it. */
const FURTHER = /^[2-9]$|^[1-9][0-9]+$/;

/**
 * A process' own place in the folder `spool`: gateways that are started from one folder write to a place each, and know of the others'.
 * Whose process has died is free for the next.
 */
export class SpoolPlace {
  readonly #root: string;
  #held: { readonly folder: string; readonly lock: FileLock } | undefined;
  #holding: Promise<string> | undefined;
  #isReleased = false;

  /** @param root an absolute path; it is made when it is needed */
  constructor(root: string) {
    this.#root = root;
  }

  /** Where this process writes; undefined while it has no place. */
  get folder(): string | undefined {
    return this.#held?.folder;
  }

  /**
   * Takes the first place that is free, once.
   *
   * @throws Error of the file system; it can be tried again
   */
  hold(): Promise<string> {
    this.#holding ??= this.#hold().catch((error: unknown) => {
      this.#holding = undefined;
      throw error;
    });
    return this.#holding;
  }

  /** The other places that there are, held or not, without those that nobody made yet. */
  async others(): Promise<readonly string[]> {
    const names = await readdir(this.#root).catch(() => []);
    const places = [
      this.#root,
      ...names.filter((name) => FURTHER.test(name)).map((name) => join(this.#root, name)),
    ];
    return places.filter((place) => place !== this.folder);
  }

  /**
   * Does something with another place, whose process has died; nobody takes it meanwhile.
   *
   * @returns whether it was free
   */
  async whileFree(place: string, work: () => Promise<void>): Promise<boolean> {
    const lock = await FileLock.acquire(join(place, LOCK));
    if (lock === undefined) return false;
    try {
      await work();
      return true;
    } finally {
      lock.release();
    }
  }

  release(): void {
    this.#isReleased = true;
    this.#held?.lock.release();
    this.#held = undefined;
  }

  async #hold(): Promise<string> {
    for (let number = 1; ; number++) {
      const folder = number === 1 ? this.#root : join(this.#root, String(number));
      await mkdir(folder, { recursive: true });
      const lock = await FileLock.acquire(join(folder, LOCK));
      if (lock === undefined) continue;
      if (this.#isReleased) {
        lock.release();
        throw new Error('the gateway ends');
      }
      this.#held = { folder, lock };
      return folder;
    }
  }
}
