import { MemoryStore } from './memory/memory-store.ts';
import type { StateStore } from './state-store.ts';

/** Where the state is kept. */
export type StateAddress =
  | { readonly kind: 'memory' }
  /** An absolute path. */
  | { readonly kind: 'sqlite'; readonly file: string }
  | { readonly kind: 'redis'; readonly url: string };

/** How long the start waits for Redis before it goes on without. */
const REDIS_START_MS = 3000;

export interface OpenStoreOptions {
  /** Whether this is a gateway that serves, and not somebody who looks something up beside it. */
  readonly isServing?: boolean;
  /** Told whenever Redis is connected: the policy by which it may take the state away to make room; undefined: it doesn't. */
  readonly onEviction?: (policy: string | undefined) => void;
}

/**
 * Opens a store. Redis may be away: then its calls are refused until it is there.
 *
 * @throws Error where a file can't be opened, or a newer release has written what is there
 */
export async function openStore(
  address: StateAddress,
  { isServing = false, onEviction }: OpenStoreOptions = {},
): Promise<StateStore> {
  switch (address.kind) {
    case 'memory':
      return new MemoryStore();
    case 'sqlite': {
      const { SqliteStore } = await import('./sqlite-store.ts');
      return SqliteStore.open(address.file, { isServing });
    }
    case 'redis': {
      const { NewerState, RedisStore } = await import('./redis-store.ts');
      const store = new RedisStore(address.url, onEviction);
      try {
        if (await store.ready(REDIS_START_MS)) await store.expectReadable();
      } catch (error) {
        // Gone again in between: as away.
        if (!(error instanceof NewerState)) return store;
        await store.close();
        throw error;
      }
      return store;
    }
  }
}
