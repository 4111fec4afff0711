import sharp from 'sharp';
import type { Sharp } from 'sharp';
import type { ImageSpec, Size } from './image-spec.ts';
import { channelsOf } from './image-spec.ts';

/** The upload can't become a tensor: the caller's mistake. */
export class InvalidImage extends Error {
  /** `too_large` where its pixels are more than are decoded for anyone. */
  readonly fault: 'undecodable' | 'too_large';

  constructor(fault: 'undecodable' | 'too_large', message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'InvalidImage';
    this.fault = fault;
  }
}

/** One image as a model takes it. */
export interface ImageTensor {
  /** `[channels, height, width]` for NCHW, `[height, width, channels]` for NHWC. */
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Pages of nothing but pixels; what else libvips can open is not for strangers. */
const FORMATS = ['jpeg', 'png', 'webp'];

const KERNELS = { bilinear: 'linear', bicubic: 'cubic', nearest: 'nearest' } as const;

/**
 * Decodes an upload, turns it upright, resizes, crops and normalises it as `spec` says. Decoding and resizing
 * happen on libvips' threads.
 *
 * @param maxPixels pixels (width x height) that are decoded at the most
 * @throws InvalidImage
 */
export async function imageToTensor(
  file: Uint8Array,
  spec: ImageSpec,
  maxPixels: number,
): Promise<ImageTensor> {
  const upright = await open(file, maxPixels);
  try {
    return await render(upright, spec);
  } catch (cause) {
    throw new InvalidImage('undecodable', `the image is damaged: ${reasonOf(cause)}`, { cause });
  }
}

interface OpenedImage {
  readonly image: Sharp;
  /** Upright, before any resizing. */
  readonly size: Size;
}

async function open(file: Uint8Array, maxPixels: number): Promise<OpenedImage> {
  if (file.length === 0) throw new InvalidImage('undecodable', 'the image is empty (0 bytes)');
  const options = { limitInputPixels: false, failOn: 'error', pages: 1 } as const;
  let metadata: Awaited<ReturnType<Sharp['metadata']>>;
  try {
    metadata = await sharp(file, options).metadata();
  } catch (cause) {
    const message = `the upload is not an image that can be read (${FORMATS.join(', ')})`;
    throw new InvalidImage('undecodable', message, { cause });
  }
  const { format, width, height, orientation = 1 } = metadata;
  if (!FORMATS.includes(format)) {
    throw new InvalidImage(
      'undecodable',
      `images of format ${format} are not read; send ${FORMATS.join(', ')}`,
    );
  }
  if (width * height > maxPixels) {
    throw new InvalidImage(
      'too_large',
      `the image has ${width}x${height} pixels; at most ${maxPixels} are decoded`,
    );
  }
  const lies = orientation >= 5;
  return { image: sharp(file, options).rotate(), size: lies ? [width, height] : [height, width] };
}

async function render({ image, size }: OpenedImage, spec: ImageSpec): Promise<ImageTensor> {
  const channels = channelsOf(spec.color);
  const resized = resizedSize(size, spec.resize);
  const kept = spec.crop ?? resized;
  let pixels = image.flatten({ background: '#000000' }).toColourspace(channels === 1 ? 'b-w' : 'srgb');
  if (resized[0] !== size[0] || resized[1] !== size[1]) {
    const [height, width] = resized;
    pixels = pixels.resize({
      height,
      width,
      fit: 'fill',
      kernel: KERNELS[spec.interpolation],
      fastShrinkOnLoad: false,
    });
  }
  const { data, info } = await pixels.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  const raw = { data, height: info.height, width: info.width, channels: info.channels };
  return normalise(raw, kept, spec);
}

/** torchvision's `Resize`: one number is the shorter side, and the longer one is cut to whole pixels. */
function resizedSize([height, width]: Size, resize: ImageSpec['resize']): Size {
  if (resize === undefined) return [height, width];
  if (typeof resize !== 'number') return resize;
  const longer = (long: number, short: number): number => Math.max(1, Math.trunc((resize * long) / short));
  return height <= width ? [resize, longer(width, height)] : [longer(height, width), resize];
}

interface RawImage {
  readonly data: Uint8Array;
  readonly height: number;
  readonly width: number;
  /** Interleaved; the first ones are grey, or red, green and blue. */
  readonly channels: number;
}

/** Crops the centre and writes the tensor, in one pass; what a crop needs beyond the image's border is black. */
function normalise(raw: RawImage, [height, width]: Size, spec: ImageSpec): ImageTensor {
  const channels = channelsOf(spec.color);
  const top = Math.round((raw.height - height) / 2);
  const left = Math.round((raw.width - width) / 2);
  const data = new Float32Array(channels * height * width);
  const planar = spec.layout === 'nchw';
  for (let channel = 0; channel < channels; channel++) {
    const source = spec.color === 'bgr' ? channels - 1 - channel : channel;
    const table = normalisation(spec, channel);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const at = y * width + x;
        const pixel = pixelAt(raw, y + top, x + left, source);
        data[planar ? channel * height * width + at : at * channels + channel] = table[pixel] ?? 0;
      }
    }
  }
  return { shape: planar ? [channels, height, width] : [height, width, channels], data };
}

function pixelAt({ data, height, width, channels }: RawImage, y: number, x: number, channel: number): number {
  const inside = y >= 0 && y < height && x >= 0 && x < width;
  return inside ? (data[(y * width + x) * channels + channel] ?? 0) : 0;
}

/** The value of each of the 256 pixel values of a channel. */
function normalisation({ scale, mean, std }: ImageSpec, channel: number): Float32Array {
  const centre = mean[channel] ?? 0;
  const spread = std[channel] ?? 1;
  return Float32Array.from({ length: 256 }, (_, pixel) => (pixel * scale - centre) / spread);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
