import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BUNDLED_PACKAGES } from '../../dashboards/console/bundled-packages.ts';

/** A package that the gateway needs at run time and that is installed on this platform. */
export interface RuntimePackage {
  readonly name: string;
  readonly version: string;
  /** Relative to the root: `node_modules/fastify`, or `node_modules/a/node_modules/b`. */
  readonly path: string;
  /** An SPDX expression, as the lockfile has it. */
  readonly license: string;
  /** Subresource integrity, as `sha512-…`. */
  readonly integrity: string;
  /** Whether npm installs it only where the platform fits. */
  readonly isOptional: boolean;
}

interface LockedPackage {
  readonly version: string;
  readonly license?: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly optional?: boolean;
}

/**
 * What the lockfile has less what is for development only, in the order of the paths.
 *
 * @param everyPlatform also what is for other platforms than this one, which is not installed here
 * @throws Error for a package whose licence the lockfile doesn't tell, or that is missing
 */
export async function runtimePackages(
  root: string,
  everyPlatform = false,
): Promise<readonly RuntimePackage[]> {
  const packages = await lockedPackages(root);
  const found: RuntimePackage[] = [];
  for (const [path, locked] of Object.entries(packages)) {
    if (path === '' || locked.dev === true || locked.devOptional === true) continue;
    const { optional } = locked;
    const isInstalled = await access(join(root, path)).then(
      () => true,
      () => false,
    );
    if (!isInstalled && optional !== true) throw new Error(`${path} is not installed; run \`npm ci\``);
    if (!isInstalled && !everyPlatform) continue;
    found.push(packageOf(path, locked));
  }
  return found.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * What the console's bundle has in it, though nothing of it is installed with the gateway.
 *
 * @throws Error as {@link runtimePackages}
 */
export async function bundledPackages(root: string): Promise<readonly RuntimePackage[]> {
  const packages = await lockedPackages(root);
  return BUNDLED_PACKAGES.map((name) => {
    const path = `node_modules/${name}`;
    const locked = packages[path];
    if (locked === undefined)
      throw new Error(`package-lock.json has no ${name}, which the console is built with`);
    return packageOf(path, locked);
  });
}

async function lockedPackages(root: string): Promise<Readonly<Record<string, LockedPackage>>> {
  const lock: unknown = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8'));
  return (lock as { readonly packages: Readonly<Record<string, LockedPackage>> }).packages;
}

function packageOf(path: string, { version, license, integrity, optional }: LockedPackage): RuntimePackage {
  if (license === undefined || integrity === undefined) {
    throw new Error(`package-lock.json tells no licence or no integrity of ${path}`);
  }
  const name = path.slice(path.lastIndexOf('node_modules/') + 13);
  return { name, version, path, license, integrity, isOptional: optional === true };
}
