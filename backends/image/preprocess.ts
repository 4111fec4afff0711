import sharp from 'sharp';
import type { Sharp } from 'sharp';
import { READ_FORMATS, formatOf } from './format.ts';
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
  const resized = resizedSize(upright.size, spec.resize);
  refuseMorePixels('the image would be resized to', resized, maxPixels);
  try {
    return await render(upright, resized, spec);
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
  const readable = READ_FORMATS.join(', ');
  const format = formatOf(file);
  if (format === undefined) {
    throw new InvalidImage('undecodable', `the upload is not an image that can be read (${readable})`);
  }
  if (!READ_FORMATS.includes(format)) {
    throw new InvalidImage('undecodable', `images of format ${format} are not read; send ${readable}`);
  }
  const options = { limitInputPixels: false, failOn: 'error', pages: 1 } as const;
  let metadata: Awaited<ReturnType<Sharp['metadata']>>;
  try {
    metadata = await sharp(file, options).metadata();
  } catch (cause) {
    throw new InvalidImage('undecodable', `the image is damaged: ${reasonOf(cause)}`, { cause });
  }
  const { width, height, orientation = 1 } = metadata;
  refuseMorePixels('the image has', [height, width], maxPixels);
  const lies = orientation >= 5;
  return { image: sharp(file, options).rotate(), size: lies ? [width, height] : [height, width] };
}

function refuseMorePixels(what: string, [height, width]: Size, maxPixels: number): void {
  if (height * width <= maxPixels) return;
  throw new InvalidImage('too_large', `${what} ${width}x${height} pixels; at most ${maxPixels} are decoded`);
}

async function render({ image, size }: OpenedImage, resized: Size, spec: ImageSpec): Promise<ImageTensor> {
  const kept = spec.crop ?? resized;
  let pixels = image.flatten({ background: '#000000' }).toColourspace('srgb');
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
  /** Interleaved: red, green and blue. */
  readonly channels: number;
}

/** Crops the centre and writes the tensor, in one pass; what a crop needs beyond the image's border is black. */
function normalise(raw: RawImage, [height, width]: Size, spec: ImageSpec): ImageTensor {
  const channels = channelsOf(spec.color);
  const top = marginOf(raw.height, height);
  const left = marginOf(raw.width, width);
  const data = new Float32Array(channels * height * width);
  const planar = spec.layout === 'nchw';
  for (let channel = 0; channel < channels; channel++) {
    const read = readerOf(raw, spec.color, channel);
    const table = normalisation(spec, channel);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const at = y * width + x;
        const value = table[read(y + top, x + left)] ?? 0;
        data[planar ? channel * height * width + at : at * channels + channel] = value;
      }
    }
  }
  return { shape: planar ? [channels, height, width] : [height, width, channels], data };
}

/** Reads a channel of the tensor; beyond the border it is black. */
function readerOf(
  { data, height, width, channels }: RawImage,
  color: ImageSpec['color'],
  channel: number,
): (y: number, x: number) => number {
  const source = color === 'bgr' ? 2 - channel : channel;
  const isGray = color === 'gray';
  return (y, x) => {
    if (y < 0 || y >= height || x < 0 || x >= width) return 0;
    const at = (y * width + x) * channels;
    return isGray ? luma(data[at] ?? 0, data[at + 1] ?? 0, data[at + 2] ?? 0) : (data[at + source] ?? 0);
  };
}

/** ITU-R BT.601's weights in 16 bits, as Pillow's `convert("L")`; of three equal values it is that value. */
function luma(red: number, green: number, blue: number): number {
  return (red * 19_595 + green * 38_470 + blue * 7471 + 0x8000) >> 16;
}

/** Where a centre crop begins, as torchvision's `CenterCrop` has it: halves go to the even pixel, and padding is cut down. */
function marginOf(side: number, kept: number): number {
  const margin = (side - kept) / 2;
  if (margin < 0) return Math.ceil(margin);
  const nearest = Math.round(margin);
  return margin % 1 === 0.5 && nearest % 2 === 1 ? nearest - 1 : nearest;
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
