/** The load generator's process: takes one job by message, and answers with its result. */
import { runLoad } from './http-load.ts';
import type { LoadOptions } from './http-load.ts';

process.once('message', (job: LoadOptions) => {
  const requests = job.requests.map((request) => Buffer.from(request));
  void runLoad({ ...job, requests }).then((result) => {
    process.send?.(result);
    process.disconnect();
  });
});
