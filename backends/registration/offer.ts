import type { Static } from 'typebox';
import type { ImageSpecSchema } from '../image/image-spec.ts';

/** How uploaded images become the input, as a model's configuration says it. */
export type OfferedImage = Static<typeof ImageSpecSchema>;

/** A model as a file offers it. */
export interface Offer {
  /** What the file calls it. */
  readonly modelName: string;
  /** Undefined: the next one. */
  readonly version: number | undefined;
  /** The index is the class; undefined: it has none. */
  readonly labels: readonly string[] | undefined;
  /** Undefined: it takes no images, or nobody says how. */
  readonly image: OfferedImage | undefined;
  /** What of the file has no effect, in sentences without a full stop. */
  readonly notes: readonly string[];
  /** Writes `model.onnx`, and its weights, into a folder. */
  readonly write: (directory: string) => Promise<void>;
}
