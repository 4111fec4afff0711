/** A thread of the tests of thread pools: it answers a job with itself, holds it until told otherwise, or dies of it. */
import { parentPort } from 'node:worker_threads';
import { CLOSE } from '../../backends/thread-pool.ts';

export type TestJob =
  | { readonly kind: 'echo'; readonly value: Uint8Array }
  /** Answered once the first number of the shared memory is not 0. */
  | { readonly kind: 'hold'; readonly gate: Int32Array }
  | { readonly kind: 'die' };

const port = parentPort;
if (port === null) throw new Error('test/backends/jobs-thread.ts runs as a worker thread only');

port.on('message', (job: TestJob | typeof CLOSE) => {
  if (job === CLOSE) {
    port.close();
    return;
  }
  if (job.kind === 'die') throw new Error('this job is too much');
  if (job.kind === 'hold') Atomics.wait(job.gate, 0, 0);
  port.postMessage(job);
});
