import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A file that names the release, and where: what stands before it, the version, what stands behind it. */
interface Stamped {
  readonly file: string;
  readonly place: RegExp;
}

const VERSION = String.raw`(\d+\.\d+\.\d+(?:-(?!cuda12)[0-9A-Za-z.-]+)?)`;
const place = (before: string): RegExp => new RegExp(`^(.*${before})${VERSION}`, 'gm');

/** What is generated of the source (docs/openapi/) and package-lock.json follow by themselves. */
const STAMPED: readonly Stamped[] = [
  { file: 'deploy/helm/signalbox/Chart.yaml', place: place('(?:v|appV)ersion: ') },
  { file: 'deploy/helm/signalbox/values.yaml', place: place('tag: ') },
  { file: 'deploy/helm/signalbox/values-gpu.yaml', place: place('tag: ') },
  { file: 'deploy/kubernetes/base/deployment.yaml', place: place('image: signalbox:') },
  { file: 'deploy/kubernetes/components/gpu/kustomization.yaml', place: place('newTag: ') },
  { file: 'deploy/compose/compose.yaml', place: place('image: signalbox:') },
];

/** A file with the release in its places, and whether that is another text than it has. */
export interface StampedFile {
  readonly file: string;
  readonly text: string;
  readonly isOther: boolean;
}

/**
 * What the files that name the release by hand have to be for this one.
 *
 * @throws Error for a file that names none any more
 */
export async function stampedFiles(root: string, version: string): Promise<readonly StampedFile[]> {
  return Promise.all(
    STAMPED.map(async ({ file, place }) => {
      const found = await readFile(join(root, file), 'utf8');
      if (found.search(place) < 0) throw new Error(`${file} names no release; expected ${String(place)}`);
      const text = found.replace(place, (_, before: string) => `${before}${version}`);
      return { file, text, isOther: text !== found };
    }),
  );
}
