/** Images made for tests, pixel by pixel. */
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import type { Sharp } from 'sharp';
import { readImageSpec } from '../../../backends/image/image-spec.ts';
import type { ImageSpec } from '../../../backends/image/image-spec.ts';

type Pixel = readonly number[];

/** An image whose pixels are grey, [red, green, blue], or [red, green, blue, alpha]. */
export function picture(
  height: number,
  width: number,
  pixelAt: (y: number, x: number) => number | Pixel,
): Sharp {
  const pixels = Array.from({ length: height * width }, (_, at) => {
    const pixel = pixelAt(Math.floor(at / width), at % width);
    return typeof pixel === 'number' ? [pixel, pixel, pixel] : pixel;
  });
  const channels = pixels[0]?.length === 4 ? 4 : 3;
  return sharp(Uint8Array.from(pixels.flat()), { raw: { height, width, channels } });
}

/** A preprocessing that leaves pixels as they are, from 0 to 255, but for what `keys` say. */
export function specOf(keys: Parameters<typeof readImageSpec>[0] = {}): ImageSpec {
  return readImageSpec({ scale: 1, ...keys }).spec;
}

/** A PNG of a few bytes whose header says it is this large. */
export function pngThatClaims(height: number, width: number): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8); // 8 bits a channel, RGB, the only compression, filter, not interlaced
  return Buffer.concat([
    Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]),
    pngChunk('IHDR', header),
    pngChunk('IDAT', deflateSync(Buffer.alloc(100))),
    pngChunk('IEND', Buffer.alloc(0)),
  ]);
}

function pngChunk(type: string, data: Uint8Array): Uint8Array {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  checksum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, checksum]);
}
