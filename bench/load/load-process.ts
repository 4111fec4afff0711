/**
 * The load generator's process: takes one job by message after the other, says when the load is under way, and answers with its result.
 * It ends with whoever started it.
 */
import { runLoad } from './http-load.ts';
import type { LoadOptions } from './http-load.ts';
import type { LoadResult } from './load-result.ts';

export type LoadMessage = 'under way' | LoadResult;

const tell = (message: LoadMessage): void => {
  process.send?.(message);
};

process.on('message', (job: LoadOptions) => {
  const requests = job.requests.map((request) => Buffer.from(request));
  const loaded = runLoad({ ...job, requests }, () => {
    tell('under way');
  });
  void loaded.then(tell);
});
