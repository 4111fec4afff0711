import type { AnswerStore } from './answer-store.ts';
import type { KeptAnswer } from './kept-answer.ts';

export interface MemoryAnswersOptions {
  /** What all answers may take together. */
  readonly maxBytes: number;
  /** How long an answer is good, in milliseconds. */
  readonly ttlMs: number;
  /** In milliseconds; it never goes back. */
  readonly nowMs?: () => number;
}

interface Entry {
  readonly answer: KeptAnswer;
  readonly untilMs: number;
}

/** Answers in this process, bounded in bytes: what was used longest ago goes first. */
export class MemoryAnswers implements AnswerStore {
  readonly #options: MemoryAnswersOptions;
  readonly #nowMs: () => number;
  /** In the order of their last use. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor(options: MemoryAnswersOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? performance.now.bind(performance);
  }

  /** What the kept answers take. */
  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): KeptAnswer | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#remove(key, entry);
    if (entry.untilMs <= this.#nowMs()) return undefined;
    this.#add(key, entry);
    return entry.answer;
  }

  /** One that is larger than all may be together is not kept. */
  set(key: string, answer: KeptAnswer): void {
    const before = this.#entries.get(key);
    if (before !== undefined) this.#remove(key, before);
    const { maxBytes, ttlMs } = this.#options;
    if (answer.bytes > maxBytes) return;
    this.#add(key, { answer, untilMs: this.#nowMs() + ttlMs });
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= maxBytes) break;
      this.#remove(oldest, entry);
    }
  }

  close(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  #add(key: string, entry: Entry): void {
    this.#entries.set(key, entry);
    this.#bytes += entry.answer.bytes;
  }

  #remove(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#bytes -= entry.answer.bytes;
  }
}
