import { realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
import { RegistrationError } from './registration-error.ts';

/** A file in one of the repository's folders. */
export interface FoundFile {
  /** The folder that it lies in, however deep. */
  readonly root: string;
  /** Its own path; no link leads out of the folder. */
  readonly path: string;
  /** As it was asked for. */
  readonly name: string;
}

/** Other machines' addresses, and paths that don't begin at a repository's folder. */
const ADDRESS = /^[a-z][a-z0-9+.-]*:/i;

/**
 * Looks for a file in the repository's folders, and nowhere else.
 *
 * @param url a path in one of them, with `/` between its parts
 * @throws RegistrationError `invalid`, `unknown_file`
 */
export async function findFile(roots: readonly string[], url: string): Promise<FoundFile> {
  const shown = JSON.stringify(url.slice(0, 200));
  if (ADDRESS.test(url)) {
    throw new RegistrationError(
      'invalid',
      `url is ${shown}; expected the path of a file in the model repository, as "resnet.mar", or an http or https address that models.allowedUrls allows`,
    );
  }
  const parts = url.split('/');
  if (isAbsolute(url) || /[\\\0]/.test(url) || parts.some((part) => ['', '.', '..'].includes(part))) {
    throw new RegistrationError(
      'invalid',
      `url is ${shown}; expected the path of a file in the model repository, as "resnet.mar" or "archives/resnet.mar"`,
    );
  }
  for (const root of roots) {
    const real = await realpath(root);
    const path = await realpath(join(real, ...parts)).catch(() => undefined);
    if (path === undefined) continue;
    const inside = relative(real, path);
    if (inside.split(sep)[0] === '..' || isAbsolute(inside)) {
      throw new RegistrationError(
        'invalid',
        `${shown} is a link that leads out of the model repository; expected a file in it`,
      );
    }
    if ((await stat(path)).isFile()) return { root: real, path, name: url };
  }
  throw new RegistrationError(
    'unknown_file',
    `there is no file ${shown} in the model repository; put it into one of its folders`,
  );
}
