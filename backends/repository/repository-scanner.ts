import { ThreadPool } from '../thread-pool.ts';
import type { RepositoryListing } from './layout.ts';

export type ScanJob =
  /** @property known the listing that whoever asks has; undefined: none */
  | { readonly kind: 'scan'; readonly roots: readonly string[]; readonly known: string | undefined }
  | { readonly kind: 'files'; readonly directory: string };

export type ScanAnswer =
  | { readonly kind: 'listings'; readonly id: string; readonly listings: readonly RepositoryListing[] }
  /** As the listing that whoever asks has. */
  | { readonly kind: 'same' }
  | { readonly kind: 'files'; readonly fingerprint: string }
  | { readonly kind: 'failed'; readonly message: string };

/** What the repositories' folders hold, as they are listed. */
export type Listings = readonly RepositoryListing[];

/** Lists the folders on a thread of its own: a disk that is slow, or thousands of files, keep nobody else waiting. */
export class RepositoryScanner {
  readonly #roots: readonly string[];
  readonly #thread = new ThreadPool<ScanJob, ScanAnswer>({
    script: new URL('./scan-thread.ts', import.meta.url),
    size: 1,
    mostWaiting: Infinity,
  });
  #last: { readonly id: string; readonly listings: Listings } | undefined;

  constructor(roots: readonly string[]) {
    this.#roots = roots;
  }

  /**
   * @returns the same value as before where nothing has changed
   * @throws Error when a repository's folder can't be read
   */
  async scan(): Promise<Listings> {
    const asked = this.#last;
    const answer = await this.#ask({ kind: 'scan', roots: this.#roots, known: asked?.id });
    if (answer.kind === 'same' && asked !== undefined) return asked.listings;
    if (answer.kind !== 'listings') throw new Error(`the thread that lists folders said ${answer.kind}`);
    this.#last = answer;
    return answer.listings;
  }

  /** Changes whenever a file of a version's folder does. */
  async fingerprintOf(directory: string): Promise<string> {
    const answer = await this.#ask({ kind: 'files', directory });
    if (answer.kind !== 'files') throw new Error(`the thread that lists folders said ${answer.kind}`);
    return answer.fingerprint;
  }

  close(): Promise<void> {
    return this.#thread.close();
  }

  async #ask(job: ScanJob): Promise<ScanAnswer> {
    const answer = await this.#thread.run({
      toJob: () => [job, []],
      deadlineMs: Infinity,
      signal: undefined,
    });
    if (answer.kind === 'failed') throw new Error(answer.message);
    return answer;
  }
}
