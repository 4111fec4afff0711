import { InvalidDocuments, fileProblem } from '../../documents/problem.ts';
import type { Problem } from '../../documents/problem.ts';
import { readTls } from '../tls.ts';
import { WatchedKeys } from '../trust/watched-keys.ts';
import type { Config } from './config.ts';

/** What would keep the planes from serving, as far as it can be told without binding an address: certificates and keys. */
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
  return (await Promise.all(checks)).flat();
}

function problemsOf(file: string): (error: unknown) => readonly Problem[] {
  return (error) =>
    error instanceof InvalidDocuments ? error.problems : [fileProblem(file, messageOf(error))];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
