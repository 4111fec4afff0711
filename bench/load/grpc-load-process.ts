/** The gRPC load generator's process: takes one job by message, and answers with its result. */
import { runGrpcLoad } from './grpc-load.ts';
import type { GrpcLoadOptions } from './grpc-load.ts';

process.once('message', (job: GrpcLoadOptions) => {
  void runGrpcLoad(job).then((result) => {
    process.send?.(result);
    process.disconnect();
  });
});
