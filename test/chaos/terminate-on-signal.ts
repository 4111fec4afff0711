/** Preloaded into a gateway's processes: SIGUSR2 ends their worker threads, whatever they are doing. */
import { isMainThread } from 'node:worker_threads';
import type { Worker } from 'node:worker_threads';

if (isMainThread) {
  const workers = new Set<Worker>();
  process.on('worker', (worker) => workers.add(worker));
  process.on('SIGUSR2', () => {
    for (const worker of workers) void worker.terminate();
  });
}
