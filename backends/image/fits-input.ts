import type { TensorSpec } from '../tensor/tensor.ts';
import type { ImageSpec } from './image-spec.ts';
import { pixelValues } from './normalise.ts';
import { channelsOf } from './pixels.ts';

/**
 * Holds an image preprocessing against the only input of a model: what no image could ever fit is known when the model is loaded.
 *
 * @param inputs with the batch dimension; a model of several inputs takes no images, whatever its preprocessing is
 * @returns what doesn't fit, and what would; empty where an image can fit
 */
export function imageFaults(spec: ImageSpec, inputs: readonly TensorSpec[]): readonly string[] {
  const [input] = inputs;
  if (input === undefined || inputs.length > 1) return [];
  const { name, datatype, shape } = input;
  const faults: string[] = [];
  if (datatype !== 'FP32' && datatype !== 'FP16' && datatype !== 'UINT8') {
    faults.push(`input '${name}' is of type ${datatype}; images become FP32, FP16 or UINT8`);
  }
  if (datatype === 'UINT8' && !makesBytes(spec)) {
    faults.push(
      `input '${name}' is of type UINT8, and the preprocessing makes values that are not whole numbers from 0 to 255; ` +
        'set signalbox.image.scale to 1, and leave out mean and std',
    );
  }
  const made = shapeOf(spec);
  const wanted = shape.length === made.length + 1 ? shape.slice(1) : shape;
  const fits =
    wanted.length === made.length &&
    wanted.every((size, axis) => size === -1 || made[axis] === -1 || made[axis] === size);
  if (!fits) {
    faults.push(
      `an image becomes a tensor of the shape [${made.join(',')}] (layout ${spec.layout}, color ${spec.color}), ` +
        `but input '${name}' is [${shape.join(',')}]; set signalbox.image.resize, crop, layout or color`,
    );
  }
  return faults;
}

/** The shape of an image's tensor; -1 where it depends on the image. */
function shapeOf({ color, crop, resize, layout }: ImageSpec): readonly number[] {
  const [height, width] = crop ?? (typeof resize === 'object' ? resize : [-1, -1]);
  const channels = channelsOf(color);
  return layout === 'nchw' ? [channels, height, width] : [height, width, channels];
}

function makesBytes(spec: ImageSpec): boolean {
  return spec.mean.every((_, channel) =>
    pixelValues(spec, channel).every((value) => Number.isInteger(value) && value >= 0 && value <= 255),
  );
}
