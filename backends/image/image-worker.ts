/** A worker thread that turns uploads into tensors, one at a time. */
import { parentPort } from 'node:worker_threads';
import { CLOSE } from '../thread-pool.ts';
import { InvalidImage } from './invalid-image.ts';
import type { FromImageWorker, ImageJob } from './messages.ts';
import { imageToTensor } from './preprocess.ts';

const port = parentPort;
if (port === null) throw new Error('backends/image/image-worker.ts runs as a worker thread only');

async function read({ file, spec, maxPixels }: ImageJob): Promise<FromImageWorker> {
  try {
    return { kind: 'tensor', tensor: await imageToTensor(file, spec, maxPixels) };
  } catch (error) {
    if (error instanceof InvalidImage) return { kind: 'refused', fault: error.fault, message: error.message };
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) };
  }
}

port.on('message', (message: ImageJob | typeof CLOSE) => {
  if (message === CLOSE) {
    port.close();
    return;
  }
  void read(message).then((answer) => {
    port.postMessage(answer, answer.kind === 'tensor' ? [answer.tensor.data.buffer] : []);
  });
});
