import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BackendError } from '../../../backends/errors.ts';
import { ImagePool } from '../../../backends/image/image-pool.ts';
import type { ImageRequest } from '../../../backends/image/image-pool.ts';
import { imageToTensor } from '../../../backends/image/preprocess.ts';
import { picture, pngThatClaims, specOf } from './pictures.ts';

const MAX_PIXELS = 4_000_000;

function requestOf(files: readonly Uint8Array[], fields: Partial<ImageRequest> = {}): ImageRequest {
  return {
    files,
    spec: specOf({ resize: 16, crop: 16 }),
    maxPixels: MAX_PIXELS,
    deadlineMs: Infinity,
    signal: new AbortController().signal,
    ...fields,
  };
}

/** A grey picture of one shade, as a file that has its memory to itself. */
async function shade(value: number, side = 20): Promise<Uint8Array> {
  const background = { r: value, g: value, b: value };
  const image = sharp({ create: { width: side, height: side, channels: 3, background } });
  return Uint8Array.from(await image.png().toBuffer());
}

let pool: ImagePool;
beforeAll(() => {
  pool = new ImagePool(2);
});
afterAll(() => pool.close());

test('a file becomes on a worker the tensor that it becomes here', async () => {
  const file = await picture(50, 40, (y, x) => [y * 5, x * 6, (y * x) % 256])
    .jpeg()
    .toBuffer();
  const expected = await imageToTensor(file, specOf({ resize: 16, crop: 16 }), MAX_PIXELS);
  expect(await pool.toTensors(requestOf([file]))).toEqual([expected]);
});

test('no worker is started before there is an image, and never more than the pool has', async () => {
  const fresh = new ImagePool(2);
  expect(fresh.workers).toBe(0);
  const files = await Promise.all([1, 2, 3, 4, 5].map((value) => shade(value)));
  await fresh.toTensors(requestOf(files));
  expect(fresh.workers).toBe(2);
  await fresh.close();
  expect(fresh.workers).toBe(0);
});

test('a pool that is warmed up has one worker, which reads the first image', async () => {
  const fresh = new ImagePool(2);
  fresh.warmUp();
  fresh.warmUp();
  expect(fresh.workers).toBe(1);
  await fresh.toTensors(requestOf([await shade(1)]));
  expect(fresh.workers).toBe(1);
  await fresh.close();
  expect(fresh.workers).toBe(0);
});

test('several files come back in their order, although one takes longer than the next', async () => {
  const files = await Promise.all([shade(10, 1500), shade(20), shade(30), shade(40)]);
  const tensors = await pool.toTensors(requestOf(files));
  expect(tensors.map(({ data }) => data[0])).toEqual([10, 20, 30, 40]);
});

test('a file stays with its caller, and can be read again', async () => {
  const file = await shade(9, 200);
  const [first] = await pool.toTensors(requestOf([file]));
  expect(file.length).toBeGreaterThan(0);
  expect(await pool.toTensors(requestOf([file]))).toEqual([first]);
});

test('a file that is a part of a larger block is read, and the block stays', async () => {
  const file = await shade(7);
  const block = new Uint8Array(file.length + 200).fill(1);
  block.set(file, 100);
  const [tensor] = await pool.toTensors(requestOf([block.subarray(100, 100 + file.length)]));
  expect(tensor?.data[0]).toBe(7);
  expect([block.length, block[0]]).toEqual([file.length + 200, 1]);
});

test('the main thread goes on while images are read', async () => {
  const reading = pool.toTensors(requestOf([await shade(1, 2000), await shade(2, 2000)]));
  let turns = 0;
  let done = false;
  const turn = (): void => {
    turns += 1;
    if (!done) setImmediate(turn);
  };
  setImmediate(turn);
  await reading;
  done = true;
  // Resizing this here would be one turn of some ten milliseconds.
  expect(turns).toBeGreaterThan(100);
});

test('a request with many files lets another one have its turn between them', async () => {
  const order: string[] = [];
  const files = await Promise.all(Array.from({ length: 40 }, () => shade(1, 300)));
  const small = await shade(2);
  const many = pool.toTensors(requestOf(files)).then(() => order.push('many'));
  const one = pool.toTensors(requestOf([small])).then(() => order.push('one'));
  await Promise.all([many, one]);
  expect(order).toEqual(['one', 'many']);
});

describe('a file that is refused', () => {
  test('is refused in the same words, and the worker reads on', async () => {
    const refused = pool.toTensors(requestOf([pngThatClaims(20_000, 20_000)]));
    await expect(refused).rejects.toMatchObject({
      name: 'InvalidImage',
      fault: 'too_large',
      message: `the image has 20000x20000 pixels; at most ${MAX_PIXELS} are decoded`,
    });
    await expect(pool.toTensors(requestOf([await shade(3)]))).resolves.toHaveLength(1);
  });

  test('ends its request: the files behind it are not read', async () => {
    const files = [
      Buffer.from('no image'),
      ...(await Promise.all([1, 2, 3, 4].map((value) => shade(value)))),
    ];
    const read: number[] = [];
    const watched = new Proxy(files, {
      get: (target, property) => {
        read.push(Number(property));
        return Reflect.get(target, property) as unknown;
      },
    });
    // Of two workers the other one could have read them all before the first says what it found.
    const alone = new ImagePool(1);
    await expect(alone.toTensors(requestOf(watched))).rejects.toMatchObject({ fault: 'undecodable' });
    expect(read.filter(Number.isInteger)).toEqual([0]);
    await alone.close();
  });
});

describe('a file that still waits is not read', () => {
  async function faultOf(request: ImageRequest, by = pool): Promise<unknown> {
    return by.toTensors(request).then(
      () => 'read',
      (error: unknown) => (error instanceof BackendError ? error.fault : error),
    );
  }

  test('when its caller has hung up', async () => {
    const controller = new AbortController();
    const [first, second, third] = await Promise.all([1, 2, 3].map((value) => shade(value, 600)));
    const waiting = [third ?? new Uint8Array()];
    // Both workers are busy.
    const busy = pool.toTensors(requestOf([first ?? new Uint8Array(), second ?? new Uint8Array()]));
    const fault = faultOf(requestOf(waiting, { signal: controller.signal }));
    controller.abort();
    expect(await fault).toBe('cancelled');
    expect(waiting[0]?.length).toBeGreaterThan(0);
    await busy;
  });

  test('when its time is over', async () => {
    expect(await faultOf(requestOf([await shade(5)], { deadlineMs: performance.now() - 1 }))).toBe(
      'expired_in_queue',
    );
  });

  test('when the pool is closed, while what is being read is answered', async () => {
    const files = await Promise.all([1, 2, 3, 4].map((value) => shade(value, 600)));
    const closed = new ImagePool(2);
    const [first, second, ...others] = files.map((file) => faultOf(requestOf([file]), closed));
    await closed.close();
    expect(await Promise.all([first, second])).toEqual(['read', 'read']);
    expect(await Promise.all(others)).toEqual(['unavailable', 'unavailable']);
    expect(await faultOf(requestOf([await shade(1)]), closed)).toBe('unavailable');
  });
});
