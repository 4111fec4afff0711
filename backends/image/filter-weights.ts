/**
 * How much each pixel of a line counts in each pixel of the resized line, as Pillow has it: the filter is stretched by the
 * reduction (that is the antialiasing), sampled at the pixels' centres, and what the border cuts off is shared out.
 */

interface Filter {
  /** Beyond this many pixels it is 0. */
  readonly support: number;
  weight(distance: number): number;
}

const FILTERS = {
  bilinear: {
    support: 1,
    weight: (distance) => Math.max(0, 1 - Math.abs(distance)),
  },
  /** R. Keys, "Cubic convolution interpolation for digital image processing", 1981, with a = -1/2. */
  bicubic: {
    support: 2,
    weight: (distance) => {
      const a = -0.5;
      const x = Math.abs(distance);
      if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
      if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
      return 0;
    },
  },
} as const satisfies Record<string, Filter>;

export type FilterName = keyof typeof FILTERS;

/** Weights are whole numbers, 2^22 of them make 1: of 32 bits eight hold the pixel, and two what overshoots. */
export const WEIGHT_BITS = 22;

/** The weights of a stretch of a resized line. */
export interface LineWeights {
  /** For each resized pixel, the first pixel that counts. */
  readonly first: Int32Array;
  /** For each resized pixel, how many count. */
  readonly count: Int32Array;
  /** `stride` places for each resized pixel, of which the first `count` are used. */
  readonly weights: Int32Array;
  readonly stride: number;
}

/**
 * @param from pixels of the line
 * @param to pixels of the whole resized line
 * @param start the first resized pixel wanted
 * @param length how many are wanted
 */
export function lineWeights(
  name: FilterName,
  from: number,
  to: number,
  start: number,
  length: number,
): LineWeights {
  const filter: Filter = FILTERS[name];
  const scale = from / to;
  const stretch = Math.max(1, scale);
  const support = filter.support * stretch;
  const stride = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(length);
  const count = new Int32Array(length);
  const weights = new Int32Array(length * stride);
  const exact = new Float64Array(stride);
  for (let index = 0; index < length; index++) {
    const centre = (start + index + 0.5) * scale;
    const low = Math.max(0, Math.trunc(centre - support + 0.5));
    const high = Math.min(from, Math.trunc(centre + support + 0.5));
    let sum = 0;
    for (let pixel = low; pixel < high; pixel++) {
      // Multiplied by the reciprocal, not divided: the last bit decides some roundings.
      const weight = filter.weight((pixel - centre + 0.5) * (1 / stretch));
      exact[pixel - low] = weight;
      sum += weight;
    }
    first[index] = low;
    count[index] = high - low;
    for (let place = 0; place < high - low; place++) {
      const share = (exact[place] ?? 0) / sum;
      weights[index * stride + place] = Math.trunc(share * 2 ** WEIGHT_BITS + (share < 0 ? -0.5 : 0.5));
    }
  }
  return { first, count, weights, stride };
}
