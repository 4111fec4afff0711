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
  return {
    name: input.name,
    datatype: 'FP32',
    shape: hasRows ? [images.length, ...first.shape] : first.shape,
    data: images.length === 1 ? first.data : joined(images, first.data.length),
  };
}

function joined(images: readonly ImageTensor[], length: number): Float32Array {
  const data = new Float32Array(images.length * length);
  images.forEach((image, row) => {
    data.set(image.data, row * length);
  });
  return data;
}
