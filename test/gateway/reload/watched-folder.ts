import { join } from 'node:path';
import { expect } from 'vitest';
import { formatProblem } from '../../../documents/problem.ts';
import type { KnownVersions } from '../../../experiments/definition.ts';
import { ExperimentFiles } from '../../../gateway/reload/experiment-files.ts';
import type { Describe } from '../../../gateway/signatures/describe.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import type { TemporaryFolder } from '../../models/temporary-folder.ts';

interface Wanted {
  readonly key?: string;
  readonly model?: string;
  readonly status?: string;
  readonly weight?: number | string;
  readonly version?: number;
  readonly phase?: number;
}

/** An experiment's file with two variants, of which the second is as wanted. */
export function experiment({
  key = 'a',
  model = key,
  status = 'running',
  weight = 10,
  version = 2,
  phase,
}: Wanted = {}): string {
  return `\
key: ${key}
model: ${model}
status: ${status}
control: v1
variants:
  - { name: v1, version: 1, weight: 90 }
  - { name: v2, version: ${version}, weight: ${weight} }
${phase === undefined ? '' : `phase: ${phase}\n`}`;
}

/** What a look brings, with files named relative to the folder and problems as a terminal shows them. */
export interface Seen {
  readonly changed: readonly string[];
  readonly refused: readonly string[];
  readonly problems: readonly string[];
}

export const NOTHING_NEW: Seen = { changed: [], refused: [], problems: [] };

/** What is said of two experiments that may meet the same call. */
export const NOT_APART =
  'and nothing proves that no call meets both; give both a part of one namespace, or match rules that exclude ' +
  'each other on one attribute, or make one of them a draft';

/** A watched folder, as the gateway watches it. */
export class WatchedFolder implements AsyncDisposable {
  readonly #folder: TemporaryFolder;
  readonly files: ExperimentFiles;

  static async start(
    texts: Readonly<Record<string, string>>,
    versions: KnownVersions = () => [1, 2],
    describe: Describe = () => undefined,
  ): Promise<WatchedFolder> {
    const watched = new WatchedFolder(await temporaryFolder(texts), versions, describe);
    await watched.files.load();
    return watched;
  }

  private constructor(folder: TemporaryFolder, versions: KnownVersions, describe: Describe) {
    this.#folder = folder;
    this.files = new ExperimentFiles({ folder: folder.path, knownVersions: versions, describe });
  }

  path(name: string): string {
    return join(this.#folder.path, name);
  }

  write(texts: Readonly<Record<string, string>>): Promise<void> {
    return this.#folder.write(texts);
  }

  async look(): Promise<Seen> {
    const { changed, refused } = await this.files.refresh();
    const relative = (text: string): string => text.replaceAll(`${this.#folder.path}/`, '');
    return {
      changed: changed.map(relative).sort(),
      refused: refused.map(({ file }) => relative(file)).sort(),
      problems: refused.flatMap(({ problems }) =>
        problems.map((problem) => relative(formatProblem(problem))),
      ),
    };
  }

  /** The second look after a change, at which it takes effect. */
  async lookTwice(): Promise<Seen> {
    expect(await this.look()).toEqual(NOTHING_NEW);
    return await this.look();
  }

  /** The weight of v2 in force, by the experiments' keys. */
  get weights(): Readonly<Record<string, number | undefined>> {
    return Object.fromEntries(
      [...this.files.current.byKey].map(([key, { variants }]) => [
        key,
        variants.find(({ name }) => name === 'v2')?.weight,
      ]),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#folder[Symbol.asyncDispose]();
  }
}
