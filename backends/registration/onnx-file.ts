import { constants } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FoundFile } from './find-file.ts';
import type { Offer } from './offer.ts';

/** What an ONNX file by itself offers: the model, of which nothing else is known. */
export function onnxFile({ path, name }: FoundFile): Offer {
  const file = name.slice(name.lastIndexOf('/') + 1);
  return {
    modelName: file.slice(0, -'.onnx'.length),
    version: undefined,
    labels: undefined,
    image: undefined,
    notes: [],
    // A copy that shares the file's blocks where the disk can do that.
    write: (directory) => copyFile(path, join(directory, 'model.onnx'), constants.COPYFILE_FICLONE),
  };
}
