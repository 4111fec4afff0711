/** Of all versions of this process. */
let lastBatchId = 0;

/** Names a batch within this process, from 1. */
export function newBatchId(): number {
  lastBatchId += 1;
  return lastBatchId;
}
