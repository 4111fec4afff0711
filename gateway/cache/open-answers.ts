import type { AnswerStore } from '../../backends/cache/answer-store.ts';
import { MemoryAnswers } from '../../backends/cache/memory-answers.ts';
import type { CacheConfig } from '../config/cache-config.ts';
import { RedisAnswers } from './redis-answers.ts';

export function openAnswers(config: CacheConfig): AnswerStore {
  return config.kind === 'memory' ? new MemoryAnswers(config) : new RedisAnswers(config.url, config.ttlMs);
}
