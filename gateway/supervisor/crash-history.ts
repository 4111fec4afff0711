import type { CrashSuspect } from '../../backends/onnx/run-journal.ts';

/** How long a crash is held against the requests that were running, and two crashes against those that were at both. */
export const HELD_AGAINST_MS = 10 * 60 * 1000;

/** Which requests were running when the serving process crashed. Times are `Date.now()` milliseconds. */
export class CrashHistory {
  readonly #suspects = new Map<string, CrashSuspect>();

  /** @param running names of the requests that were running, as the journal gives them */
  record(running: readonly string[], nowMs: number): void {
    this.#forget(nowMs);
    for (const name of new Set(running)) {
      const verdict = this.#suspects.has(name) ? 'refused' : 'suspected';
      this.#suspects.set(name, { name, verdict, untilMs: nowMs + HELD_AGAINST_MS });
    }
  }

  suspects(nowMs: number): readonly CrashSuspect[] {
    this.#forget(nowMs);
    return [...this.#suspects.values()];
  }

  #forget(nowMs: number): void {
    for (const [name, { untilMs }] of this.#suspects) if (untilMs <= nowMs) this.#suspects.delete(name);
  }
}
