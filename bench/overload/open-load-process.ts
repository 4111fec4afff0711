/** The open loop's process: takes one job by message, and answers with its result. */
import { runOpenLoad } from './open-load.ts';
import type { OpenLoad } from './open-load.ts';

process.once('message', (job: OpenLoad) => {
  void runOpenLoad({ ...job, request: Buffer.from(job.request) }).then((result) => {
    process.send?.(result);
    process.disconnect();
  });
});
