import { access, constants } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { StateAddress } from './open-store.ts';
import { openStore } from './open-store.ts';
import { connectRedis } from './redis-connection.ts';
import { evictionPolicy } from './redis-eviction.ts';
import { keepsAppendOnlyFile } from './redis-persistence.ts';
import type { RedisConnection } from './redis-scripts.ts';

/** What can be seen of a store without using it. */
export interface StoreReport {
  /** What would keep a gateway from using it, or take away what it keeps there. */
  readonly problems: readonly string[];
  /** What does no harm until something else goes wrong. */
  readonly warnings: readonly string[];
}

/** How long a server has to be there. */
const READY_MS = 3000;

/** Looks at a store as a gateway would find it. It is changed in nothing, and where there is none, none is made. */
export async function lookAtStore(address: StateAddress): Promise<StoreReport> {
  switch (address.kind) {
    case 'memory':
      return { problems: [], warnings: ['what is kept in memory is gone with the process'] };
    case 'sqlite': {
      const folder = dirname(address.file);
      const isWritable = await access(folder, constants.W_OK).then(
        () => true,
        () => false,
      );
      return { problems: isWritable ? [] : [`${folder} is no folder that can be written to`], warnings: [] };
    }
    case 'redis':
      return lookAtRedis(address);
  }
}

async function lookAtRedis(address: StateAddress & { readonly kind: 'redis' }): Promise<StoreReport> {
  const redis = connectRedis(address.url);
  try {
    const fault = await faultOfConnecting(redis);
    if (fault !== undefined) return { problems: [fault], warnings: [] };
    const [policy, isAppended] = await Promise.all([evictionPolicy(redis), keepsAppendOnlyFile(redis)]);
    const problems = policy === undefined ? [] : [evictionProblem(policy)];
    const unreadable = await openStore(address).then(
      (store) => store.close(),
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    if (unreadable !== undefined) problems.push(unreadable);
    const warnings = isAppended
      ? []
      : [
          'it keeps no append-only file, so its restart loses what came since its last snapshot; set appendonly yes',
        ];
    return { problems, warnings };
  } finally {
    redis.disconnect();
  }
}

function evictionProblem(policy: string): string {
  return `it takes keys away when its memory is full (maxmemory-policy ${policy}): units, outcomes and weights would be lost without a word; set noeviction`;
}

/** @returns why the server isn't there; undefined where it is */
async function faultOfConnecting(redis: RedisConnection): Promise<string | undefined> {
  let last = `it does not answer within ${READY_MS / 1000} s`;
  redis.on('error', (error: Error) => {
    last = error.message;
  });
  if (redis.status === 'ready') return undefined;
  const ready = Promise.withResolvers<boolean>();
  const timer = setTimeout(ready.resolve, READY_MS, false);
  redis.once('ready', () => {
    ready.resolve(true);
  });
  const isReady = await ready.promise;
  clearTimeout(timer);
  return isReady ? undefined : last;
}
