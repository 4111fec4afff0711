interface Signature {
  readonly format: string;
  readonly offset: number;
  readonly bytes: string;
}

/** How files of a format begin; Latin-1. */
const SIGNATURES: readonly Signature[] = [
  { format: 'jpeg', offset: 0, bytes: '\xff\xd8\xff' },
  { format: 'png', offset: 0, bytes: '\x89PNG\r\n\x1a\n' },
  { format: 'webp', offset: 8, bytes: 'WEBP' },
  { format: 'gif', offset: 0, bytes: 'GIF8' },
  { format: 'tiff', offset: 0, bytes: 'II*\0' },
  { format: 'tiff', offset: 0, bytes: 'MM\0*' },
  { format: 'heif', offset: 4, bytes: 'ftyp' },
  { format: 'bmp', offset: 0, bytes: 'BM' },
  { format: 'svg', offset: 0, bytes: '<svg' },
  { format: 'svg', offset: 0, bytes: '<?xml' },
];

/** The formats that are decoded for strangers: plain pixels, by decoders that see hostile files every day. */
export const READ_FORMATS: readonly string[] = ['jpeg', 'png', 'webp'];

/** What a file is by its first bytes, before any decoder has seen it; undefined where it is none of those known. */
export function formatOf(file: Uint8Array): string | undefined {
  const head = Buffer.from(file.buffer, file.byteOffset, Math.min(file.length, 16)).toString('latin1');
  return SIGNATURES.find(({ offset, bytes }) => head.startsWith(bytes, offset))?.format;
}

/** Channels of a JPEG by its frame header: 1 is grey, 3 colour, 4 CMYK; undefined where the markers lead nowhere. */
export function jpegChannels(file: Uint8Array): number | undefined {
  let at = 2;
  while (at + 9 < file.length && file[at] === 0xff) {
    const marker = file[at + 1] ?? 0;
    // Any number of fill bytes may stand before a marker.
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    // C4, C8 and CC are tables in the midst of the frame headers' numbers.
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return file[at + 9];
    at += 2 + ((file[at + 2] ?? 0) << 8) + (file[at + 3] ?? 0);
  }
  return undefined;
}
