import type { InferAnswer } from '../inference.ts';

/** What is known of uploads before they are decoded. */
export interface Recalled {
  /** Goes with the tensors that they become, as the request's `cacheKey`. */
  readonly key: string;
  readonly answer: InferAnswer | undefined;
}
