import type { Config } from '../config/config.ts';
import type { SharedBuckets } from './shared-buckets.ts';

/** Undefined: each process holds its callers to limits of its own. */
export async function openSharedBuckets({
  limits,
  state,
}: Pick<Config, 'limits' | 'state'>): Promise<SharedBuckets | undefined> {
  if (limits.store !== 'redis' || state.kind !== 'redis') return undefined;
  // Only who has Redis pays for the package that speaks to it.
  const { SharedBuckets } = await import('./shared-buckets.ts');
  return new SharedBuckets(state.url);
}
