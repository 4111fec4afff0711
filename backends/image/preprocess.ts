import { decodeImage } from './decode.ts';
import { centreOf, resizedSize, within } from './geometry.ts';
import type { ImageSpec } from './image-spec.ts';
import { refuseMorePixels } from './invalid-image.ts';
import { normalise } from './normalise.ts';
import type { ImageTensor } from './normalise.ts';
import { toGray } from './pixels.ts';
import { resample } from './resample.ts';

/**
 * Decodes an upload, turns it upright, resizes, crops and normalises it as `spec` says: the tensor that torchvision's
 * `Resize`, `CenterCrop`, `ToTensor` and `Normalize` make of the same image opened with Pillow. All but the decoding is done on
 * the thread that calls; see {@link ImagePool} for others.
 *
 * @param maxPixels pixels (width x height) that are decoded, or resized to, at the most
 * @throws InvalidImage
 */
export async function imageToTensor(
  file: Uint8Array,
  spec: ImageSpec,
  maxPixels: number,
): Promise<ImageTensor> {
  const decoded = await decodeImage(file, maxPixels);
  const pixels = spec.color === 'gray' ? toGray(decoded) : decoded;
  const size = resizedSize([pixels.height, pixels.width], spec.resize);
  refuseMorePixels('the image would be resized to', size[0], size[1], maxPixels);
  const kept = centreOf(size, spec.crop);
  const part = within(kept, size);
  return normalise(resample(pixels, size, spec.interpolation, part), part, kept, spec);
}
