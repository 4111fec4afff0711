import type { Region } from './geometry.ts';
import type { ImageSpec } from './image-spec.ts';
import type { Pixels } from './pixels.ts';
import { channelsOf } from './pixels.ts';

/** One image as a model takes it. */
export interface ImageTensor {
  /** `[channels, height, width]` for NCHW, `[height, width, channels]` for NHWC. */
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

/**
 * Writes the tensor of a region.
 *
 * @param region what the tensor shows, in the same coordinates as `origin`
 * @param pixels the part of the region that there are pixels of; around it is black
 * @param origin where the pixels begin
 */
export function normalise(
  pixels: Pixels,
  origin: Pick<Region, 'top' | 'left'>,
  region: Region,
  spec: ImageSpec,
): ImageTensor {
  const channels = channelsOf(spec.color);
  const { height, width } = region;
  const planar = spec.layout === 'nchw';
  const data = new Float32Array(channels * height * width);
  const [channelStep, pixelStep] = planar ? [height * width, 1] : [1, channels];
  const covered = pixels.height === height && pixels.width === width;
  for (let channel = 0; channel < channels; channel++) {
    const values = pixelValues(spec, channel);
    const firstValue = channel * channelStep;
    if (!covered) {
      const black = values[0] ?? 0;
      for (let at = 0; at < height * width; at++) data[firstValue + at * pixelStep] = black;
    }
    let from = spec.color === 'bgr' ? 2 - channel : channel;
    for (let row = 0; row < pixels.height; row++) {
      let to = firstValue + ((origin.top - region.top + row) * width + origin.left - region.left) * pixelStep;
      for (let column = 0; column < pixels.width; column++) {
        data[to] = values[pixels.data[from] ?? 0] ?? 0;
        from += channels;
        to += pixelStep;
      }
    }
  }
  return { shape: planar ? [channels, height, width] : [height, width, channels], data };
}

/** The value of each of the 256 pixel values of a channel, each step in single precision as torch computes it. */
export function pixelValues({ scale, mean, std }: ImageSpec, channel: number): Float32Array {
  const centre = Math.fround(mean[channel] ?? 0);
  const spread = Math.fround(std[channel] ?? 1);
  return Float32Array.from({ length: 256 }, (_, pixel) =>
    Math.fround(Math.fround(Math.fround(pixel * scale) - centre) / spread),
  );
}
