/** What torchvision made of photographs; see README.md. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import type { readImageSpec } from '../../../backends/image/image-spec.ts';

export interface TorchvisionCase {
  /** The photograph and the preprocessing, for people. */
  readonly name: string;
  readonly file: string;
  /** The keys of `signalbox.image`. */
  readonly image: Parameters<typeof readImageSpec>[0];
  readonly shape: readonly number[];
  readonly tensor: Float32Array;
  /** What the network makes of it, where it is the network's input. */
  readonly network: { readonly logits: readonly number[]; readonly top5: readonly number[] } | undefined;
}

type Line = Pick<TorchvisionCase, 'file' | 'image' | 'shape'> & {
  readonly offset: number;
  readonly logits?: readonly number[];
  readonly top5?: readonly number[];
};

export const HERE = fileURLToPath(new URL('.', import.meta.url));

export const NETWORK = `${HERE}network.onnx`;

export function readPhoto(file: string): Promise<Buffer> {
  return readFile(`${HERE}photos/${file}`);
}

/** @param folder where cases.json and tensors.bin.gz are */
export async function readCases(folder = HERE): Promise<readonly TorchvisionCase[]> {
  const lines = JSON.parse(await readFile(`${folder}/cases.json`, 'utf8')) as readonly Line[];
  const { buffer } = Uint8Array.from(gunzipSync(await readFile(`${folder}/tensors.bin.gz`)));
  return lines.map(({ file, image, shape, offset, logits, top5 }) => {
    const length = shape.reduce((count, size) => count * size, 1);
    return {
      name: `${file} ${JSON.stringify(image).replaceAll('"', '')}`,
      file,
      image,
      shape,
      tensor: new Float32Array(buffer, offset * 4, length),
      network: logits === undefined || top5 === undefined ? undefined : { logits, top5 },
    };
  });
}
