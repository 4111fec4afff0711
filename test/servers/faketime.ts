import { access } from 'node:fs/promises';
import { findServer } from './debian-server.ts';
import type { FoundServer } from './debian-server.ts';

const TRIPLETS: Partial<Record<NodeJS.Architecture, string>> = {
  x64: 'x86_64-linux-gnu',
  arm64: 'aarch64-linux-gnu',
};

/** The library that gives a process another time of day; `program` is its file, for LD_PRELOAD. */
export async function findFaketime(): Promise<FoundServer> {
  const found = await findServer('faketime', 'faketime');
  if (found.kind === 'missing') return found;
  const library = `/usr/lib/${TRIPLETS[process.arch] ?? ''}/faketime/libfaketimeMT.so.1`;
  try {
    await access(library);
    return { kind: 'found', program: library };
  } catch {
    return { kind: 'missing', reason: `${library} is not there; \`apt-get install faketime\` brings it` };
  }
}

/**
 * The environment of a process whose clock is that far off; its monotonic clock goes as ever.
 *
 * @param library of {@link findFaketime}
 */
export function offBy(library: string, seconds: number): NodeJS.ProcessEnv {
  return {
    ...process.env,
    LD_PRELOAD: library,
    FAKETIME: `${seconds < 0 ? '' : '+'}${seconds}`,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    DONT_FAKE_MONOTONIC: '1',
    FAKETIME_NO_CACHE: '1',
  };
}
