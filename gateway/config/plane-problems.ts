import { InvalidDocuments, fileProblem } from '../../documents/problem.ts';
import type { Problem } from '../../documents/problem.ts';
import { readTls } from '../tls.ts';
import { WatchedKeys } from '../trust/watched-keys.ts';
import type { Address, Config } from './config.ts';

/** What would keep the planes from serving, as far as it can be told without binding an address: certificates, keys, and two planes in one place. */
export async function planeProblems(config: Config): Promise<readonly Problem[]> {
  const { tls, auth, file } = config;
  const checks: Promise<readonly Problem[]>[] = [];
  for (const [plane, files] of Object.entries(tls)) {
    if (files === undefined) continue;
    checks.push(
      readTls(plane, files).then(
        () => [],
        (error: unknown) => [fileProblem(file, messageOf(error))],
      ),
    );
  }
  if (auth.keys?.kind === 'file')
    checks.push(WatchedKeys.open(auth.keys.file).then(() => [], problemsOf(file)));
  return [...sharedAddresses(config), ...(await Promise.all(checks)).flat()];
}

/** Planes whose address another one, before it, has already. */
export function sharedAddresses({ listen, file }: Config): readonly Problem[] {
  const planes = Object.entries(listen).flatMap(([plane, address]) =>
    address === undefined ? [] : [{ plane, address }],
  );
  return planes.flatMap(({ plane, address }, index) => {
    const first = planes.slice(0, index).find((other) => overlap(other.address, address));
    if (first === undefined) return [];
    const message = `is ${address.host}:${address.port}, where listen.${first.plane} is; give each a port of its own`;
    return [{ ...fileProblem(file, message), path: `listen.${plane}` }];
  });
}

/** Port 0 is a free one, another each time. */
function overlap(one: Address, other: Address): boolean {
  if (one.port === 0 || one.port !== other.port) return false;
  return one.host === other.host || [one, other].some(({ host }) => ANY.has(host));
}

const ANY: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

function problemsOf(file: string): (error: unknown) => readonly Problem[] {
  return (error) =>
    error instanceof InvalidDocuments ? error.problems : [fileProblem(file, messageOf(error))];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
