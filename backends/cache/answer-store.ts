import type { KeptAnswer } from './kept-answer.ts';

/** Where answers are kept. What it loses is computed again, so it promises nothing. */
export interface AnswerStore {
  /**
   * @returns undefined where there is none
   * @throws Error, as a rejection, where the store can't tell in time
   */
  get(key: string): KeptAnswer | undefined | Promise<KeptAnswer | undefined>;
  /** Keeps an answer for a while; what it can't keep it passes over. Never throws. */
  set(key: string, answer: KeptAnswer): void;
  close(): void;
}

/** How a lookup ended. */
export type CacheResult =
  'hit' | 'miss' /** An equal request was being run, and its answer was shared. */ | 'shared' | 'unavailable';
