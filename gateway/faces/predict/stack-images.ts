import type { ImageTensor } from '../../../backends/image/normalise.ts';
import type { Tensor, TensorSpec } from '../../../backends/tensor/tensor.ts';
import { GatewayError } from '../../errors.ts';

/**
 * Puts images side by side along a new first dimension, as the model's input takes them.
 *
 * @throws GatewayError where they differ in size, or the model takes a single one
 */
export function stackImages(input: TensorSpec, images: readonly ImageTensor[]): Tensor {
  const [first] = images;
  if (first === undefined) throw new GatewayError('invalid_image', 'no image was sent');
  const odd = images.find((image) => image.shape.join() !== first.shape.join());
  if (odd !== undefined) {
    throw new GatewayError(
      'invalid_image',
      `the images become tensors of different shapes, [${first.shape.join(',')}] and [${odd.shape.join(',')}]; ` +
        'send them one by one, or have the model resize them (signalbox.image.resize)',
    );
  }
  const hasRows = input.shape.length === first.shape.length + 1;
  if (!hasRows && images.length > 1) {
    throw new GatewayError(
      'invalid_request',
      `${images.length} images were sent; the model takes one at a time`,
    );
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
      throw new GatewayError(
        'no_image_calls',
        `input '${name}' is of type ${datatype}; images become FP32, FP16 or UINT8`,
      );
  }
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
  throw new GatewayError(
    'no_image_calls',
    `input '${name}' is of type UINT8, and the preprocessing makes values that are not whole numbers from 0 to 255; ` +
      'set signalbox.image.scale to 1, and leave out mean and std',
  );
}
