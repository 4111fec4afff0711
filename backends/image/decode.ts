import sharp from 'sharp';
import type { Sharp } from 'sharp';
import { READ_FORMATS, formatOf, jpegChannels } from './format.ts';
import { InvalidImage, refuseMorePixels } from './invalid-image.ts';
import type { Pixels } from './pixels.ts';
import { cmykToRgb } from './pixels.ts';

/**
 * Decodes an upload to upright RGB, on libvips' threads. What it makes of a file is what
 * `ImageOps.exif_transpose(Image.open(file)).convert("RGB")` makes of it in Pillow: colour profiles are passed over, alpha is
 * dropped, and of 16 bits the upper eight count (in grey too, where Pillow clips).
 *
 * @param maxPixels pixels (width x height) that are decoded at the most
 * @throws InvalidImage
 */
export async function decodeImage(file: Uint8Array, maxPixels: number): Promise<Pixels> {
  const format = readableFormatOf(file);
  try {
    if (format === 'jpeg' && jpegChannels(file) === 4) {
      const inks = opened(file, maxPixels).pipelineColourspace('cmyk').toColourspace('cmyk');
      const { data, info } = await inks.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
      return cmykToRgb(data, info.height, info.width);
    }
    const upright = opened(file, maxPixels).removeAlpha().toColourspace('srgb');
    const { data, info } = await upright.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    return { data, height: info.height, width: info.width, channels: 3 };
  } catch (cause) {
    await refuseTooLarge(file, maxPixels);
    throw damaged(cause);
  }
}

/** @throws InvalidImage where the file's first bytes are of no format that is read */
function readableFormatOf(file: Uint8Array): string {
  if (file.length === 0) throw new InvalidImage('undecodable', 'the image is empty (0 bytes)');
  const readable = READ_FORMATS.join(', ');
  const format = formatOf(file);
  if (format === undefined) {
    throw new InvalidImage('undecodable', `the upload is not an image that can be read (${readable})`);
  }
  if (!READ_FORMATS.includes(format)) {
    throw new InvalidImage('undecodable', `images of format ${format} are not read; send ${readable}`);
  }
  return format;
}

/** Turned as its EXIF orientation says. libvips checks the limit against the header, before it decodes a pixel. */
function opened(file: Uint8Array, maxPixels: number): Sharp {
  return sharp(file, { limitInputPixels: maxPixels, failOn: 'error', pages: 1, ignoreIcc: true }).rotate();
}

/** Whether it was the size that was refused, the header says: asking it first would cost every good image. */
async function refuseTooLarge(file: Uint8Array, maxPixels: number): Promise<void> {
  let metadata: Awaited<ReturnType<Sharp['metadata']>>;
  try {
    metadata = await sharp(file, { limitInputPixels: false, pages: 1 }).metadata();
  } catch (cause) {
    throw damaged(cause);
  }
  refuseMorePixels('the image has', metadata.height, metadata.width, maxPixels);
}

function damaged(cause: unknown): InvalidImage {
  const said = (cause instanceof Error ? cause.message : String(cause)).split('\n');
  // A decoder that goes on after a fault says the same of each line of pixels.
  const reason = [...new Set(said.map((line) => line.trim()))].filter((line) => line !== '').slice(0, 3);
  return new InvalidImage('undecodable', `the image is damaged: ${reason.join('; ')}`, { cause });
}
