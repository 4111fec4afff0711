import type { ImageSpec } from './image-spec.ts';
import type { InvalidImage } from './invalid-image.ts';
import type { ImageTensor } from './normalise.ts';

/** One upload for a worker to read; it reads one at a time. */
export interface ImageJob {
  readonly file: Uint8Array;
  readonly spec: ImageSpec;
  readonly maxPixels: number;
}

export type FromImageWorker =
  | { readonly kind: 'tensor'; readonly tensor: ImageTensor }
  | { readonly kind: 'refused'; readonly fault: InvalidImage['fault']; readonly message: string }
  | { readonly kind: 'failed'; readonly reason: string };
