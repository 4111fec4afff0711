/** Reads large v2 requests off the main thread. */
import { isMarkedAsUntransferable, parentPort } from 'node:worker_threads';
import { CLOSE } from '../../backends/thread-pool.ts';
import { GatewayError } from '../errors.ts';
import type { DecodeJob, DecodeResult } from './decoder.ts';
import { readV2Request } from './request.ts';

const port = parentPort;
if (port === null) throw new Error('gateway/open-inference/decode-worker.ts runs as a worker thread only');

port.on('message', (job: DecodeJob | typeof CLOSE) => {
  if (job === CLOSE) {
    port.close();
    return;
  }
  const { body, jsonBytes } = job;
  try {
    const request = readV2Request(body, jsonBytes);
    // Binary inputs are views of one block, which goes back as a whole; small tensors share a block, and are copied.
    const blocks = new Set(request.inputs.flatMap(({ data }) => ('buffer' in data ? [data.buffer] : [])));
    const transfer = [...blocks].filter(
      (block): block is ArrayBuffer => block instanceof ArrayBuffer && !isMarkedAsUntransferable(block),
    );
    port.postMessage({ kind: 'read', request } satisfies DecodeResult, transfer);
  } catch (error) {
    const refused =
      error instanceof GatewayError
        ? { code: error.code, message: error.message }
        : ({ code: 'internal', message: 'the request could not be read' } as const);
    port.postMessage({ kind: 'refused', ...refused } satisfies DecodeResult);
  }
});
