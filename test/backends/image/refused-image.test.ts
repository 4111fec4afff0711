/** What a stranger may send instead of an image. */
import { expect, test } from 'vitest';
import type { Sharp } from 'sharp';
import { InvalidImage } from '../../../backends/image/invalid-image.ts';
import { imageToTensor } from '../../../backends/image/preprocess.ts';
import { picture, pngThatClaims, specOf } from './pictures.ts';

const MAX_PIXELS = 1_000_000;

async function refusalOf(file: Uint8Array, keys: Parameters<typeof specOf>[0] = {}): Promise<InvalidImage> {
  try {
    await imageToTensor(file, specOf(keys), MAX_PIXELS);
  } catch (error) {
    if (error instanceof InvalidImage) return error;
    throw error;
  }
  throw new Error('the image was read');
}

const plain = (): Sharp => picture(32, 32, (y, x) => [y * 8, x * 8, (x * y) % 256]);

test('nothing at all', async () => {
  expect(await refusalOf(new Uint8Array())).toMatchObject({
    fault: 'undecodable',
    message: 'the image is empty (0 bytes)',
  });
});

test.each([
  ['a text', Buffer.from('hello, this is no image')],
  ['zeros', new Uint8Array(1000)],
])('%s', async (_, file) => {
  expect(await refusalOf(file)).toMatchObject({
    fault: 'undecodable',
    message: 'the upload is not an image that can be read (jpeg, png, webp)',
  });
});

test.each([
  ['gif', plain().gif()],
  ['tiff', plain().tiff()],
  ['heif', plain().avif()],
])('a %s file, by name', async (format, image) => {
  expect(await refusalOf(await image.toBuffer())).toMatchObject({
    fault: 'undecodable',
    message: `images of format ${format} are not read; send jpeg, png, webp`,
  });
});

test('an SVG file, by name', async () => {
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>');
  expect((await refusalOf(svg)).message).toBe('images of format svg are not read; send jpeg, png, webp');
});

test.each([0.5, 0.8, 0.95])('a JPEG of which only %d has arrived', async (share) => {
  const file = await plain().jpeg().toBuffer();
  const refusal = await refusalOf(file.subarray(0, Math.floor(file.length * share)));
  expect(refusal).toMatchObject({ fault: 'undecodable' });
  expect(refusal.message).toMatch(/^the image is damaged: .*premature end/);
  const said = refusal.message.split('; ');
  expect(new Set(said).size).toBe(said.length);
  expect(refusal.message).not.toContain('\n');
});

test('a PNG whose pixels are damaged', async () => {
  const file = await plain().png().toBuffer();
  file.fill(0x55, Math.floor(file.length / 2), Math.floor(file.length / 2) + 40);
  expect(await refusalOf(file)).toMatchObject({ fault: 'undecodable' });
});

test('more pixels than are decoded for anyone, refused by the header alone', async () => {
  const bomb = pngThatClaims(20_000, 20_000);
  expect(bomb.length).toBeLessThan(100);
  const before = process.memoryUsage().rss;
  expect(await refusalOf(bomb)).toMatchObject({
    fault: 'too_large',
    message: 'the image has 20000x20000 pixels; at most 1000000 are decoded',
  });
  // Decoded it would be 1.2 GB.
  expect(process.memoryUsage().rss - before).toBeLessThan(200_000_000);
});

test('a sliver that resizing would blow up to more pixels than are decoded for anyone', async () => {
  // Its shorter side of 1 becomes 64, and so its longer one 640,000: 41 million pixels of 10,000.
  const sliver = await picture(1, 10_000, () => 7)
    .png()
    .toBuffer();
  expect(await refusalOf(sliver, { resize: 64, crop: 64 })).toMatchObject({ fault: 'too_large' });
});

test('an image of exactly as many pixels as are decoded is read', async () => {
  const file = await picture(10, 20, () => 7)
    .png()
    .toBuffer();
  await expect(imageToTensor(file, specOf(), 200)).resolves.toMatchObject({ shape: [3, 10, 20] });
  await expect(imageToTensor(file, specOf(), 199)).rejects.toMatchObject({ fault: 'too_large' });
});
