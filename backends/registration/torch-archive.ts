import { Type } from 'typebox';
import type { Static } from 'typebox';
import { Value } from 'typebox/value';
import { foreignModel } from '../repository/foreign-models.ts';
import type { Offer, OfferedImage } from './offer.ts';
import { refused } from './registration-error.ts';
import type { ZipArchive } from './zip-archive.ts';

const MANIFEST = 'MAR-INF/MANIFEST.json';
const CLASSES = 'index_to_name.json';

/** What a version's model is called. */
const MODEL = 'model.onnx';

const MAX_JSON_BYTES = 16 * 1024 ** 2;

/** Labels beyond this are none of an image classifier's. */
const MAX_LABELS = 1_000_000;

const ManifestSchema = Type.Object({
  model: Type.Object({
    modelName: Type.Optional(Type.String()),
    serializedFile: Type.Optional(Type.String()),
    handler: Type.Optional(Type.String()),
    modelVersion: Type.Optional(Type.String()),
  }),
});

/** Files of an archive that are code, or say what code needs; they are never unpacked. */
const CODE = /(^MAR-INF\/|\.py$|(^|\/)requirements\.txt$|(^|\/)__pycache__\/)/;

/** What TorchServe's `image_classifier` does to an image: torchvision's transforms for ImageNet, and a softmax over the classes. */
const IMAGE_CLASSIFIER: OfferedImage = {
  resize: 256,
  crop: 224,
  color: 'rgb',
  scale: 1 / 255,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
  layout: 'nchw',
  topK: 5,
  activation: 'softmax',
};

/**
 * What a `.mar` of TorchServe's offers: the ONNX model in it, its labels, and what its handler does where that is TorchServe's own for images.
 *
 * @param name how messages name it
 * @param handler in the place of the manifest's
 * @throws RegistrationError `refused` where there is no ONNX model in it
 */
export async function readTorchArchive(
  archive: ZipArchive,
  name: string,
  handler: string | undefined,
): Promise<Offer> {
  const manifest = await readManifest(archive, name);
  const { serializedFile, modelName, modelVersion } = manifest.model;
  const model = requireOnnx(archive, name, serializedFile);
  const labels = await readLabels(archive, name);
  const beside = archive.files.filter((path) => path !== model && path !== CLASSES && !CODE.test(path));
  if (model !== MODEL && beside.some((path) => path === MODEL || path.startsWith(`${MODEL}/`)))
    throw refused(`${name} has a ${MODEL} beside its model ${model}; expected one of the two`);
  const handledBy = handler ?? manifest.model.handler;
  const isImages = handledBy === 'image_classifier';
  return {
    modelName: modelName ?? stem(name),
    version: modelVersion === undefined ? undefined : versionOf(modelVersion, name),
    labels,
    image: isImages ? IMAGE_CLASSIFIER : undefined,
    notes:
      handledBy === undefined || isImages
        ? []
        : [
            `Its handler ${handledBy.slice(0, 100)} is not run: it takes the model's own inputs, in requests of the Open Inference Protocol`,
          ],
    write: async (directory) => {
      await archive.extract(model, directory, MODEL);
      for (const path of beside) await archive.extract(path, directory);
    },
  };
}

async function readManifest(archive: ZipArchive, name: string): Promise<Static<typeof ManifestSchema>> {
  const text = await archive.text(MANIFEST, MAX_JSON_BYTES);
  if (text === undefined)
    throw refused(`${name} has no ${MANIFEST}; expected an archive that torch-model-archiver made`);
  const manifest = parsed(text, `${MANIFEST} in ${name}`);
  if (Value.Check(ManifestSchema, manifest)) return manifest;
  throw refused(
    `${MANIFEST} in ${name} has no "model" with strings in it; expected what torch-model-archiver writes`,
  );
}

const WAY =
  'export the model to ONNX and archive that (torch-model-archiver --serialized-file model.onnx), or put it into the repository; or leave it on ' +
  'TorchServe and route to that as an `upstream` variant (docs/export.md)';

function requireOnnx(archive: ZipArchive, name: string, serializedFile: string | undefined): string {
  if (serializedFile === undefined) {
    throw refused(
      `${name} has code and no model of its own (its manifest names no serializedFile), and code is not run: ${WAY}`,
    );
  }
  const shown = JSON.stringify(serializedFile.slice(0, 100));
  if (!serializedFile.endsWith('.onnx')) {
    const foreign = foreignModel(serializedFile.slice(0, 100));
    throw refused(
      foreign === undefined
        ? `the model in ${name} is ${shown}, which is no ONNX file: ${WAY}`
        : `the model in ${name} can't be served: ${foreign}`,
    );
  }
  if (!archive.has(serializedFile))
    throw refused(`the manifest of ${name} names ${shown}, and there is no such file in it`);
  return serializedFile;
}

/** TorchServe's versions are strings, and mostly whole numbers with a `.0`. */
function versionOf(text: string, name: string): number {
  const found = /^([1-9][0-9]{0,14})(\.0+)*$/.exec(text.trim());
  if (found?.[1] !== undefined) return Number(found[1]);
  throw refused(
    `modelVersion in ${name} is ${JSON.stringify(text.slice(0, 40))}; expected a whole number above 0, as 2 or 2.0 (torch-model-archiver --version)`,
  );
}

/** `{"0": "cat", …}`, or with lists whose last string is the label, as ImageNet's are. */
async function readLabels(archive: ZipArchive, name: string): Promise<readonly string[] | undefined> {
  const text = await archive.text(CLASSES, MAX_JSON_BYTES);
  if (text === undefined) return undefined;
  const where = `${CLASSES} in ${name}`;
  const map = parsed(text, where);
  if (typeof map !== 'object' || map === null || Array.isArray(map))
    throw refused(`${where} is no map from classes to labels; expected {"0": "…", "1": "…"}`);
  const labels: string[] = [];
  for (const [key, value] of Object.entries(map)) {
    const index = /^(0|[1-9][0-9]{0,6})$/.test(key) ? Number(key) : Number.NaN;
    const label: unknown = Array.isArray(value) ? value.at(-1) : value;
    if (!(index < MAX_LABELS))
      throw refused(`${where} has the class ${JSON.stringify(key.slice(0, 40))}; expected a whole number`);
    if (typeof label !== 'string' || label.trim() === '' || /[\r\n]/.test(label))
      throw refused(`the label of class ${key} in ${where} is no line of text`);
    labels[index] = label.trim();
  }
  // TorchServe tells a class without a label by its number.
  return Array.from({ length: labels.length }, (_, index) => labels[index] ?? String(index));
}

function parsed(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw refused(`${where} is no JSON: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

function stem(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1).replace(/\.[^.]*$/, '');
}
