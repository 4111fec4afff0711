import { rm } from 'node:fs/promises';
import type { TestProject } from 'vitest/node';

/** Takes away what Node has kept of the source while the tests ran; each run has a folder of its own, which Node makes. */
export default function setup({ config }: TestProject): () => Promise<void> {
  const folder = config.env.NODE_COMPILE_CACHE;
  return async () => {
    if (folder === undefined) return;
    // A process that is just ending still writes to it. What is left after all tries is in the system's temporary folder, and fails no test.
    await rm(folder, { recursive: true, force: true, maxRetries: 8, retryDelay: 100 }).catch(() => undefined);
  };
}
