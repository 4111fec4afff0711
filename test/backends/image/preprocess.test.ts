import { describe, expect, test } from 'vitest';
import sharp from 'sharp';
import type { Sharp } from 'sharp';
import { imageToTensor } from '../../../backends/image/preprocess.ts';
import type { ImageTensor } from '../../../backends/image/normalise.ts';
import { picture, specOf } from './pictures.ts';

const MAX_PIXELS = 1_000_000;

/** The tensor of a picture that went through a PNG file. */
async function tensorOf(image: Sharp, keys: Parameters<typeof specOf>[0] = {}): Promise<ImageTensor> {
  return imageToTensor(await image.png().toBuffer(), specOf(keys), MAX_PIXELS);
}

/** One channel of a grey tensor, as rows. */
function rowsOf({ shape, data }: ImageTensor): number[][] {
  const [, height = 0, width = 0] = shape;
  return Array.from({ length: height }, (_, y) => Array.from(data.subarray(y * width, (y + 1) * width)));
}

/** [[0, 1, 2], [10, 11, 12]] and so on: every pixel says where it stands. */
const numbered = (height: number, width: number): Sharp => picture(height, width, (y, x) => y * 10 + x);

describe('colours', () => {
  const colours = picture(1, 2, (_, x) => (x === 0 ? [10, 20, 30] : [40, 50, 60]));

  test('are planes of red, green and blue for NCHW', async () => {
    const { shape, data } = await tensorOf(colours);
    expect(shape).toEqual([3, 1, 2]);
    expect([...data]).toEqual([10, 40, 20, 50, 30, 60]);
  });

  test('stand beside each other for NHWC', async () => {
    const { shape, data } = await tensorOf(colours, { layout: 'nhwc' });
    expect(shape).toEqual([1, 2, 3]);
    expect([...data]).toEqual([10, 20, 30, 40, 50, 60]);
  });

  test('are blue, green and red for BGR', async () => {
    expect([...(await tensorOf(colours, { color: 'bgr' })).data]).toEqual([30, 60, 20, 50, 10, 40]);
    expect([...(await tensorOf(colours, { color: 'bgr', layout: 'nhwc' })).data]).toEqual([
      30, 20, 10, 60, 50, 40,
    ]);
  });

  test('are one channel for gray, and a grey pixel keeps its value', async () => {
    const { shape, data } = await tensorOf(
      picture(1, 256, (_, x) => x),
      { color: 'gray' },
    );
    expect(shape).toEqual([1, 1, 256]);
    expect([...data]).toEqual(Array.from({ length: 256 }, (_, value) => value));
  });

  test('weigh in gray as ITU-R BT.601 has it, which models were trained with (PIL, torchvision, OpenCV)', async () => {
    const primaries = picture(1, 3, (_, x) => [0, 1, 2].map((channel) => (channel === x ? 255 : 0)));
    const { data } = await tensorOf(primaries, { color: 'gray' });
    for (const [channel, luma] of [76, 150, 29].entries()) {
      expect(Math.abs((data[channel] ?? 0) - luma), `channel ${channel}`).toBeLessThanOrEqual(1);
    }
  });

  test('of a grey file are three equal ones', async () => {
    const grey = sharp(Uint8Array.of(10, 200), { raw: { height: 1, width: 2, channels: 1 } });
    const { data } = await tensorOf(grey.toColourspace('b-w'));
    expect([...data]).toEqual([10, 200, 10, 200, 10, 200]);
  });
});

describe('a value', () => {
  test('is (pixel * scale - mean) / std, with the numbers of its channel', async () => {
    const [mean, std] = [
      [0.485, 0.456, 0.406],
      [0.229, 0.224, 0.225],
    ] as const;
    const { data } = await tensorOf(
      picture(1, 1, () => [255, 128, 0]),
      { scale: 1 / 255, mean: [...mean], std: [...std] },
    );
    [1, 128 / 255, 0].forEach((value, channel) => {
      expect(data[channel]).toBeCloseTo((value - (mean[channel] ?? 0)) / (std[channel] ?? 1), 6);
    });
  });

  test('takes mean and std in the order of the colours that the model has', async () => {
    const keys = { mean: [1, 2, 3], std: [1, 10, 100] };
    const pixel = picture(1, 1, () => [51, 102, 203]);
    expect([...(await tensorOf(pixel, keys)).data]).toEqual([50, 10, 2]);
    expect([...(await tensorOf(pixel, { ...keys, color: 'bgr' })).data]).toEqual([
      202,
      10,
      Math.fround(0.48),
    ]);
  });
});

describe('resizing', () => {
  test('to one number makes that the shorter side, and cuts the longer one to whole pixels', async () => {
    const shapes = await Promise.all(
      [
        [10, 20],
        [20, 10],
        [10, 10],
        [7, 10],
      ].map(async ([height = 0, width = 0]) => {
        return (await tensorOf(numbered(height, width), { resize: 5 })).shape.slice(1);
      }),
    );
    // 5 * 10 / 7 is 7.14.
    expect(shapes).toEqual([
      [5, 10],
      [10, 5],
      [5, 5],
      [5, 7],
    ]);
  });

  test('to two numbers makes them height and width, whatever the proportions', async () => {
    expect((await tensorOf(numbered(10, 10), { resize: [4, 8] })).shape).toEqual([3, 4, 8]);
  });

  test('is left out where nothing is said', async () => {
    expect((await tensorOf(numbered(3, 5))).shape).toEqual([3, 3, 5]);
  });

  test('nearest takes pixels that are there', async () => {
    const enlarged = await tensorOf(
      picture(2, 2, (y, x) => y * 100 + x * 10),
      {
        resize: 4,
        interpolation: 'nearest',
        color: 'gray',
      },
    );
    expect(rowsOf(enlarged)).toEqual([
      [0, 0, 10, 10],
      [0, 0, 10, 10],
      [100, 100, 110, 110],
      [100, 100, 110, 110],
    ]);
  });

  test('bilinear reduces as torchvision does, antialiased', async () => {
    const wave = (y: number, x: number): number =>
      Math.round(128 + 60 * Math.sin(x / 3) + 60 * Math.cos(y / 4));
    const [side, resize] = [60, 24];
    const reduced = rowsOf(await tensorOf(picture(side, side, wave), { resize, color: 'gray' }));
    const weights = Array.from({ length: resize }, (_, index) => triangle(side, resize, index));
    let furthest = 0;
    for (let y = 0; y < resize; y++) {
      for (let x = 0; x < resize; x++) {
        let expected = 0;
        weights[y]?.forEach((down, row) => {
          weights[x]?.forEach((across, column) => (expected += down * across * wave(row, column)));
        });
        furthest = Math.max(furthest, Math.abs((reduced[y]?.[x] ?? 0) - expected));
      }
    }
    // It is rounded twice, once along the rows and once along the columns.
    expect(furthest).toBeLessThanOrEqual(1);
  });

  test('does to a JPEG what it does to the same pixels of a PNG: none are left out while it is decoded', async () => {
    const wave = picture(300, 300, (y, x) => Math.round(128 + 100 * Math.sin(x * 1.3) * Math.cos(y * 0.9)));
    const jpeg = await wave.jpeg({ quality: 95 }).toBuffer();
    const png = await sharp(jpeg).png().toBuffer();
    const spec = specOf({ resize: 100 });
    const [fromJpeg, fromPng] = await Promise.all(
      [jpeg, png].map((file) => imageToTensor(file, spec, MAX_PIXELS)),
    );
    const furthest = fromPng?.data.reduce((most, value, at) => {
      return Math.max(most, Math.abs(value - (fromJpeg?.data[at] ?? NaN)));
    }, 0);
    expect(furthest).toBe(0);
  });
});

/** How much each of `from` pixels counts in pixel `index` of `to`: torchvision's antialiased triangle. */
function triangle(from: number, to: number, index: number): readonly number[] {
  const scale = from / to;
  const centre = (index + 0.5) * scale;
  const raw = Array.from({ length: from }, (_, pixel) =>
    Math.max(0, 1 - Math.abs(pixel + 0.5 - centre) / scale),
  );
  const sum = raw.reduce((total, weight) => total + weight, 0);
  return raw.map((weight) => weight / sum);
}

describe('cropping', () => {
  test('keeps the centre', async () => {
    expect(rowsOf(await tensorOf(numbered(6, 4), { crop: 2 }))).toEqual([
      [21, 22],
      [31, 32],
    ]);
  });

  test('to two numbers keeps that height and width', async () => {
    expect(rowsOf(await tensorOf(numbered(4, 6), { crop: [2, 4] }))).toEqual([
      [11, 12, 13, 14],
      [21, 22, 23, 24],
    ]);
  });

  test('rounds a margin of half a pixel as torchvision does, to the even one', async () => {
    const columns = await Promise.all(
      [5, 7, 9, 11].map(
        async (width) => rowsOf(await tensorOf(numbered(1, width), { crop: [1, 4] }))[0]?.[0],
      ),
    );
    // Margins of 0.5, 1.5, 2.5 and 3.5; a picture of 341x256 cropped to 224 has one of 58.5.
    expect(columns).toEqual([0, 2, 2, 4]);
  });

  test('of more than there is has black around it, normalised as black is', async () => {
    const padded = await tensorOf(
      picture(1, 1, () => 9),
      { crop: [3, 4], color: 'gray', mean: [1] },
    );
    expect(rowsOf(padded)).toEqual([
      [-1, -1, -1, -1],
      [-1, 8, -1, -1],
      [-1, -1, -1, -1],
    ]);
  });

  test('comes after resizing', async () => {
    const { shape } = await tensorOf(numbered(20, 40), { resize: 10, crop: 8 });
    expect(shape).toEqual([3, 8, 8]);
  });
});

describe('a photo taken with the camera turned (EXIF orientation)', () => {
  const upright = [
    [0, 1, 2],
    [10, 11, 12],
  ];
  /** What lies in the file for each orientation, so that upright it is the above. */
  const stored: readonly [orientation: number, rows: readonly (readonly number[])[]][] = [
    [
      1,
      [
        [0, 1, 2],
        [10, 11, 12],
      ],
    ],
    [
      2,
      [
        [2, 1, 0],
        [12, 11, 10],
      ],
    ],
    [
      3,
      [
        [12, 11, 10],
        [2, 1, 0],
      ],
    ],
    [
      4,
      [
        [10, 11, 12],
        [0, 1, 2],
      ],
    ],
    [
      5,
      [
        [0, 10],
        [1, 11],
        [2, 12],
      ],
    ],
    [
      6,
      [
        [2, 12],
        [1, 11],
        [0, 10],
      ],
    ],
    [
      7,
      [
        [12, 2],
        [11, 1],
        [10, 0],
      ],
    ],
    [
      8,
      [
        [10, 0],
        [11, 1],
        [12, 2],
      ],
    ],
  ];

  test.each(stored)('is turned upright: orientation %i', async (orientation, rows) => {
    const image = picture(rows.length, rows[0]?.length ?? 0, (y, x) => rows[y]?.[x] ?? 0);
    expect(rowsOf(await tensorOf(image.withMetadata({ orientation })))).toEqual(upright);
  });

  test('is turned before it is resized and cropped', async () => {
    const lying = picture(20, 10, (y) => (y < 10 ? 0 : 200)).withMetadata({ orientation: 6 });
    const { shape, data } = await tensorOf(lying, { resize: [5, 10], color: 'gray' });
    expect(shape).toEqual([1, 5, 10]);
    // What was below is on the left.
    expect([data[0], data[9]]).toEqual([200, 0]);
  });
});

describe('files of other kinds of pixels', () => {
  test('RGBA: alpha is dropped, as Pillow does it', async () => {
    const glass = picture(1, 3, (_, x) => [200, 100, 50, [255, 128, 0][x] ?? 0]);
    expect([...(await tensorOf(glass, { layout: 'nhwc' })).data]).toEqual([
      200, 100, 50, 200, 100, 50, 200, 100, 50,
    ]);
  });

  test('16 bits a channel: the upper eight count', async () => {
    const fine = sharp(Uint16Array.of(0, 32_768, 65_535), { raw: { height: 1, width: 1, channels: 3 } });
    const file = await fine.toColourspace('rgb16').png().toBuffer();
    expect((await sharp(file).metadata()).depth).toBe('ushort');
    expect([...(await imageToTensor(file, specOf(), MAX_PIXELS)).data]).toEqual([0, 128, 255]);
  });

  test('a palette: the colours that its numbers stand for', async () => {
    const image = picture(1, 2, (_, x) => (x === 0 ? [10, 20, 30] : [200, 100, 0]));
    const file = await image.png({ palette: true }).toBuffer();
    expect((await sharp(file).metadata()).isPalette).toBe(true);
    const { data } = await imageToTensor(file, specOf({ layout: 'nhwc' }), MAX_PIXELS);
    expect([...data]).toEqual([10, 20, 30, 200, 100, 0]);
  });

  test('a CMYK JPEG: three channels, and white stays white and black dark', async () => {
    const image = picture(8, 16, (_, x) => (x < 8 ? 255 : 0));
    const file = await image.toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer();
    expect((await sharp(file).metadata()).space).toBe('cmyk');
    const { shape, data } = await imageToTensor(file, specOf({ layout: 'nhwc' }), MAX_PIXELS);
    expect(shape).toEqual([8, 16, 3]);
    expect(Math.min(...data.subarray(0, 3))).toBeGreaterThan(250);
    expect(Math.max(...data.subarray(45, 48))).toBeLessThan(60);
  });

  test('a colour profile: it is passed over, as Pillow does it', async () => {
    const image = picture(8, 8, () => [250, 20, 30]);
    const wide = await image.clone().withIccProfile('p3').png().toBuffer();
    expect((await sharp(wide).metadata()).icc).toBeDefined();
    // What stands in the file, not what it looks like in sRGB.
    const stored = await sharp(wide, { ignoreIcc: true }).raw().toBuffer();
    const { data } = await imageToTensor(wide, specOf({ layout: 'nhwc' }), MAX_PIXELS);
    expect([...data]).toEqual([...stored]);
    expect([...data.subarray(0, 3)]).not.toEqual([250, 20, 30]);
  });

  test('a WebP: its pixels, and of a moving one the first page', async () => {
    const pages = Uint8Array.from({ length: 2 * 4 * 4 * 3 }, (_, at) => (at < 48 ? 10 : 200));
    const moving = sharp(pages, { raw: { height: 8, width: 4, channels: 3, pageHeight: 4 } });
    const { shape, data } = await imageToTensor(
      await moving.webp({ lossless: true }).toBuffer(),
      specOf(),
      MAX_PIXELS,
    );
    expect(shape).toEqual([3, 4, 4]);
    expect(new Set(data)).toEqual(new Set([10]));
  });
});
