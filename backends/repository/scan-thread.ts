/** Lists the repositories' folders off the main thread, which thousands of files would hold up at every look. */
import { randomUUID } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import { CLOSE } from '../thread-pool.ts';
import { scanRepository } from './layout.ts';
import type { RepositoryListing } from './layout.ts';
import type { ScanAnswer, ScanJob } from './repository-scanner.ts';
import { fingerprintOf, listFiles } from './version-files.ts';

const port = parentPort;
if (port === null) throw new Error('backends/repository/scan-thread.ts runs as a worker thread only');

/** The listing that was last sent. */
let last: { readonly id: string; readonly text: string } | undefined;

function answer(job: ScanJob): ScanAnswer {
  if (job.kind === 'files') return { kind: 'files', fingerprint: fingerprintOf(listFiles(job.directory)) };
  const listings: readonly RepositoryListing[] = job.roots.map(scanRepository);
  const text = JSON.stringify(listings);
  if (last !== undefined && last.id === job.known && last.text === text) return { kind: 'same' };
  last = { id: randomUUID(), text };
  return { kind: 'listings', id: last.id, listings };
}

port.on('message', (job: ScanJob | typeof CLOSE) => {
  if (job === CLOSE) {
    port.close();
    return;
  }
  try {
    port.postMessage(answer(job));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    port.postMessage({ kind: 'failed', message } satisfies ScanAnswer);
  }
});
