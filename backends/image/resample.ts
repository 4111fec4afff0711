import type { FilterName, LineWeights } from './filter-weights.ts';
import { WEIGHT_BITS, lineWeights } from './filter-weights.ts';
import type { Region } from './geometry.ts';
import type { ImageSpec, Size } from './image-spec.ts';
import type { Pixels } from './pixels.ts';

/**
 * Resizes an image and cuts a part out of it, bit for bit as Pillow's `resize` and `crop` do: first along the rows, rounded to
 * eight bits, then along the columns. Only what the part needs is computed.
 *
 * @param size of the whole resized image
 * @param part lies within the resized image
 */
export function resample(
  pixels: Pixels,
  [height, width]: Size,
  interpolation: ImageSpec['interpolation'],
  part: Region,
): Pixels {
  if (interpolation === 'nearest' || (height === pixels.height && width === pixels.width)) {
    return pick(pixels, [height, width], part);
  }
  const down = lineWeights(interpolation, pixels.height, height, part.top, part.height);
  const last = part.height - 1;
  const top = down.first[0] ?? 0;
  const rows = (down.first[last] ?? 0) + (down.count[last] ?? 0) - top;
  const narrowed = resizeRows(pixels, interpolation, width, { ...part, top, height: rows });
  return resizeColumns(narrowed, down, top);
}

/** The rows of `part`, each resized to `width` and cut to the part's columns. */
function resizeRows(pixels: Pixels, filter: FilterName, width: number, part: Region): Pixels {
  const { channels } = pixels;
  const across = lineWeights(filter, pixels.width, width, part.left, part.width);
  const resized = new Uint8Array(part.height * part.width * channels);
  const resizeRow = channels === 3 ? resizeColourRow : resizeGrayRow;
  for (let row = 0; row < part.height; row++) {
    const from = (part.top + row) * pixels.width * channels;
    resizeRow(pixels.data, from, across, resized, row * part.width * channels);
  }
  return { data: resized, height: part.height, width: part.width, channels };
}

type ResizeRow = (
  data: Uint8Array,
  from: number,
  across: LineWeights,
  resized: Uint8Array,
  to: number,
) => void;

/** The three channels in one loop: most of the time goes into the few turns of the innermost one. */
const resizeColourRow: ResizeRow = (data, from, { first, count, weights, stride }, resized, to) => {
  for (let column = 0; column < first.length; column++) {
    let at = from + (first[column] ?? 0) * 3;
    let weightAt = column * stride;
    let [red, green, blue] = [HALF, HALF, HALF];
    for (const end = weightAt + (count[column] ?? 0); weightAt < end; weightAt++) {
      const weight = weights[weightAt] ?? 0;
      red = (red + Math.imul(data[at] ?? 0, weight)) | 0;
      green = (green + Math.imul(data[at + 1] ?? 0, weight)) | 0;
      blue = (blue + Math.imul(data[at + 2] ?? 0, weight)) | 0;
      at += 3;
    }
    resized[to++] = clipped(red);
    resized[to++] = clipped(green);
    resized[to++] = clipped(blue);
  }
};

const resizeGrayRow: ResizeRow = (data, from, { first, count, weights, stride }, resized, to) => {
  for (let column = 0; column < first.length; column++) {
    let at = from + (first[column] ?? 0);
    let weightAt = column * stride;
    let gray = HALF;
    for (const end = weightAt + (count[column] ?? 0); weightAt < end; weightAt++) {
      gray = (gray + Math.imul(data[at++] ?? 0, weights[weightAt] ?? 0)) | 0;
    }
    resized[to++] = clipped(gray);
  }
};

/** @param top the row of the whole image that `pixels` begins with */
function resizeColumns(pixels: Pixels, { first, count, weights, stride }: LineWeights, top: number): Pixels {
  const { data, width, channels } = pixels;
  const rowLength = width * channels;
  const height = first.length;
  const resized = new Uint8Array(height * rowLength);
  const sums = new Int32Array(rowLength);
  for (let row = 0; row < height; row++) {
    sums.fill(HALF);
    const taken = count[row] ?? 0;
    for (let place = 0; place < taken; place++) {
      const weight = weights[row * stride + place] ?? 0;
      const start = ((first[row] ?? 0) - top + place) * rowLength;
      for (let at = 0; at < rowLength; at++)
        sums[at] = (sums[at] ?? 0) + Math.imul(data[start + at] ?? 0, weight);
    }
    const to = row * rowLength;
    for (let at = 0; at < rowLength; at++) resized[to + at] = clipped(sums[at] ?? 0);
  }
  return { data: resized, height, width, channels };
}

/** Half of a pixel's step, which makes of cutting off rounding. */
const HALF = 1 << (WEIGHT_BITS - 1);

/** Bicubic overshoots at edges. */
function clipped(sum: number): number {
  const value = sum >> WEIGHT_BITS;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

/** Takes the pixels that are there: the nearest ones, or the same ones where the size stays. */
function pick(pixels: Pixels, [height, width]: Size, part: Region): Pixels {
  const { data, channels } = pixels;
  const rows = nearest(pixels.height, height, part.top, part.height);
  const columns = nearest(pixels.width, width, part.left, part.width);
  const picked = new Uint8Array(part.height * part.width * channels);
  let to = 0;
  for (const row of rows) {
    for (const column of columns) {
      const from = (row * pixels.width + column) * channels;
      for (let channel = 0; channel < channels; channel++) picked[to++] = data[from + channel] ?? 0;
    }
  }
  return { data: picked, height: part.height, width: part.width, channels };
}

/** The pixel under each resized pixel's centre, found by adding up as Pillow does: the last bit decides some ties. */
function nearest(from: number, to: number, start: number, length: number): Int32Array {
  const found = new Int32Array(length);
  const step = from / to;
  let centre = step * 0.5;
  for (let index = 0; index < start + length; index++) {
    if (index >= start) found[index - start] = Math.min(from - 1, Math.trunc(centre));
    centre += step;
  }
  return found;
}
