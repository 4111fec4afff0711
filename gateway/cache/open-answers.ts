import type { AnswerStore } from '../../backends/cache/answer-store.ts';
import { MemoryAnswers } from '../../backends/cache/memory-answers.ts';
import type { CacheConfig } from '../config/cache-config.ts';

export async function openAnswers(config: CacheConfig): Promise<AnswerStore> {
  if (config.kind === 'memory') return new MemoryAnswers(config);
  // Only who has Redis pays for the package that speaks to it.
  const { RedisAnswers } = await import('./redis-answers.ts');
  return new RedisAnswers(config.url, config.ttlMs);
}
