import { isOpening, modelOf } from '../../backends/onnx/run-journal.ts';
import type { CrashSuspect, ProcessDeaths } from '../../backends/onnx/run-journal.ts';

/** How long a crash is held against the requests that were running, and two crashes against those that were at both. */
export const HELD_AGAINST_MS = 10 * 60 * 1000;

/** Which requests, and which models, were running when the serving process crashed. Times are `Date.now()` milliseconds. */
export class CrashHistory {
  readonly #suspects = new Map<string, CrashSuspect>();
  /** By the model's tag. */
  readonly #deaths = new Map<string, readonly number[]>();

  /** @param running names of the requests that were running, as the journal gives them */
  record(running: readonly string[], nowMs: number): void {
    this.#forget(nowMs);
    for (const name of new Set(running)) {
      const verdict = this.#suspects.has(name) ? 'refused' : 'suspected';
      this.#suspects.set(name, { name, verdict, untilMs: nowMs + HELD_AGAINST_MS });
    }
    const ran = running.filter((name) => !isOpening(name));
    for (const model of new Set(ran.map(modelOf)))
      this.#deaths.set(model, [...(this.#deaths.get(model) ?? []), nowMs]);
  }

  suspects(nowMs: number): readonly CrashSuspect[] {
    this.#forget(nowMs);
    return [...this.#suspects.values()];
  }

  /** The crashes of the last ten minutes, by what was running. */
  deaths(nowMs: number): readonly ProcessDeaths[] {
    this.#forget(nowMs);
    return [...this.#deaths].map(([model, atMs]) => ({ model, atMs }));
  }

  #forget(nowMs: number): void {
    for (const [name, { untilMs }] of this.#suspects) if (untilMs <= nowMs) this.#suspects.delete(name);
    for (const [model, atMs] of this.#deaths) {
      const left = atMs.filter((at) => at + HELD_AGAINST_MS > nowMs);
      if (left.length > 0) this.#deaths.set(model, left);
      else this.#deaths.delete(model);
    }
  }
}
