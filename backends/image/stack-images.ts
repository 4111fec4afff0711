import { BackendError } from '../errors.ts';
import type { Tensor, TensorSpec } from '../tensor/tensor.ts';
import { InvalidImage } from './invalid-image.ts';
import type { ImageTensor } from './normalise.ts';

/**
 * Puts images side by side along a new first dimension, as the model's input takes them.
 *
 * @throws InvalidImage where they differ in size; BackendError `invalid_input` where the tensor can't hold them
 */
export function stackImages(input: TensorSpec, images: readonly ImageTensor[]): Tensor {
  const [first] = images;
  if (first === undefined) throw new InvalidImage('unlike', 'no image was sent');
  const odd = images.find((image) => image.shape.join() !== first.shape.join());
  if (odd !== undefined) {
    throw new InvalidImage(
      'unlike',
      `the images become tensors of different shapes, [${first.shape.join(',')}] and [${odd.shape.join(',')}]; ` +
        'send them one by one, or have the model resize them (signalbox.image.resize)',
    );
  }
  const hasRows = input.shape.length === first.shape.length + 1;
  if (!hasRows && images.length > 1) {
    throw oneAtATime(images.length);
  }
  const shape = hasRows ? [images.length, ...first.shape] : first.shape;
  const { name, datatype } = input;
  const data = images.length === 1 ? first.data : joined(images, first.data.length);
  switch (datatype) {
    case 'FP32':
      return { name, datatype, shape, data };
    case 'FP16':
      return { name, datatype, shape, data: new Uint16Array(Float16Array.from(data).buffer) };
    case 'UINT8':
      return { name, datatype, shape, data: bytesOf(data, name) };
    default:
      throw new BackendError(
        'invalid_input',
        `input '${name}' is of type ${datatype}; images become FP32, FP16 or UINT8`,
      );
  }
}

/**
 * Encoded images as they are, each a row of the input of a model that decodes them itself.
 *
 * @throws BackendError `invalid_input` where the input can't hold them
 */
export function stackFiles({ name, datatype, shape }: TensorSpec, files: readonly Uint8Array[]): Tensor {
  const [first] = files;
  const hasRows = shape.length > 1;
  if (datatype === 'BYTES') {
    if (!hasRows && files.length > 1) throw oneAtATime(files.length);
    return { name, datatype, shape: hasRows ? [files.length, 1] : [1], data: files };
  }
  if (datatype !== 'UINT8' || first === undefined)
    throw new BackendError(
      'invalid_input',
      `input '${name}' is of type ${datatype}, which takes no image files`,
    );
  if (files.length > 1) throw oneAtATime(files.length);
  return { name, datatype, shape: hasRows ? [1, first.length] : [first.length], data: first };
}

function oneAtATime(count: number): BackendError {
  return new BackendError('invalid_input', `${count} images were sent; the model takes one at a time`);
}

function joined(images: readonly ImageTensor[], length: number): Float32Array {
  const data = new Float32Array(images.length * length);
  images.forEach((image, row) => {
    data.set(image.data, row * length);
  });
  return data;
}

/** Pixels as they are, for a graph that normalises them itself. */
function bytesOf(data: Float32Array, name: string): Uint8Array {
  const bytes = Uint8Array.from(data);
  if (bytes.every((byte, at) => byte === data[at])) return bytes;
  throw new BackendError(
    'invalid_input',
    `input '${name}' is of type UINT8, and the preprocessing makes values that are not whole numbers from 0 to 255; ` +
      'set signalbox.image.scale to 1, and leave out mean and std',
  );
}
