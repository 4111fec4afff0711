import { Type } from 'typebox';
import type { Static } from 'typebox';
import { channelsOf } from './pixels.ts';

const Pixels = () => Type.Integer({ minimum: 1, maximum: 8192, expected: 'a whole number from 1 to 8192' });

const Side = (what: string) =>
  Type.Union([Pixels(), Type.Tuple([Pixels(), Pixels()])], {
    expected: `${what}, or [height, width], each from 1 to 8192`,
  });

const PerChannel = (what: string) =>
  Type.Array(Type.Number(), {
    minItems: 1,
    maxItems: 3,
    expected: `${what} of each channel, one or three numbers`,
  });

/** How an uploaded image becomes a model's input tensor; the keys of `signalbox.image`. */
export const ImageSpecSchema = Type.Object(
  {
    resize: Type.Optional(Side('the shorter side in pixels')),
    interpolation: Type.Optional(Type.Enum(['bilinear', 'bicubic', 'nearest'])),
    crop: Type.Optional(Side('the side of the centre crop in pixels')),
    color: Type.Optional(Type.Enum(['rgb', 'bgr', 'gray'])),
    scale: Type.Optional(Type.Number({ expected: 'a number; value = (pixel * scale - mean) / std' })),
    mean: Type.Optional(PerChannel('the mean')),
    std: Type.Optional(PerChannel('the standard deviation')),
    layout: Type.Optional(Type.Enum(['nchw', 'nhwc'])),
    topK: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1000, expected: 'a whole number from 1 to 1000' }),
    ),
    activation: Type.Optional(Type.Enum(['softmax', 'none'])),
  },
  { additionalProperties: false, expected: 'a map with the keys of an image preprocessing' },
);

type ImageFile = Static<typeof ImageSpecSchema>;

/** Height and width in pixels. */
export type Size = readonly [height: number, width: number];

/** An image preprocessing with its defaults filled in. */
export interface ImageSpec {
  /** The shorter side in pixels, or both; undefined: the image stays as large as it is. */
  readonly resize: number | Size | undefined;
  readonly interpolation: 'bilinear' | 'bicubic' | 'nearest';
  /** The centre that is kept; undefined: all of it. */
  readonly crop: Size | undefined;
  readonly color: 'rgb' | 'bgr' | 'gray';
  /** value = (pixel * scale - mean) / std, pixels from 0 to 255. */
  readonly scale: number;
  /** One number a channel, in the order of `color`. */
  readonly mean: readonly number[];
  /** One number a channel, in the order of `color`, none of them 0. */
  readonly std: readonly number[];
  readonly layout: 'nchw' | 'nhwc';
  /** How many classes an answer names. */
  readonly topK: number;
  /** Applied to the output before the top-k. */
  readonly activation: 'softmax' | 'none';
}

/** A key that doesn't fit the others, and why. */
export interface ImageFault {
  readonly key: 'mean' | 'std';
  readonly message: string;
}

/** Fills in what the file leaves out. */
export function readImageSpec(file: ImageFile): {
  readonly spec: ImageSpec;
  readonly faults: readonly ImageFault[];
} {
  const faults: ImageFault[] = [];
  const color = file.color ?? 'rgb';
  const channels = channelsOf(color);
  const perChannel = (key: 'mean' | 'std', fallback: number): readonly number[] => {
    const given = file[key] ?? [fallback];
    if (given.length !== 1 && given.length !== channels) {
      faults.push({ key, message: `has ${given.length} numbers; color ${color} has ${channels} channels` });
    }
    if (key === 'std' && given.includes(0))
      faults.push({ key, message: 'has a 0, and the pixels are divided by it' });
    return Array.from({ length: channels }, (_, channel) => given[channel] ?? given[0] ?? fallback);
  };
  const spec: ImageSpec = {
    resize: file.resize,
    interpolation: file.interpolation ?? 'bilinear',
    crop: typeof file.crop === 'number' ? [file.crop, file.crop] : file.crop,
    color,
    scale: file.scale ?? 1 / 255,
    mean: perChannel('mean', 0),
    std: perChannel('std', 1),
    layout: file.layout ?? 'nchw',
    topK: file.topK ?? 5,
    activation: file.activation ?? 'softmax',
  };
  return { spec: Object.freeze(spec), faults };
}
