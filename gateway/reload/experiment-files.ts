import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidDocuments, fileProblem } from '../../documents/problem.ts';
import type { Problem } from '../../documents/problem.ts';
import { parseYaml } from '../../documents/yaml-document.ts';
import type { YamlDocument } from '../../documents/yaml-document.ts';
import { readExperiment } from '../../experiments/definition.ts';
import type { Experiment, KnownVersions } from '../../experiments/definition.ts';
import { NO_EXPERIMENTS, assembleExperiments } from '../../experiments/experiment-set.ts';
import type { ExperimentSet } from '../../experiments/experiment-set.ts';

/** What a look at the folder brought. */
export interface ReloadReport {
  /** Files whose new text, or removal, took effect. */
  readonly changed: readonly string[];
  /** Files whose new text was refused, told once for each text; of these the last good version stays. */
  readonly refused: readonly string[];
  readonly problems: readonly Problem[];
}

const NOTHING_NEW: ReloadReport = { changed: [], refused: [], problems: [] };

/** A file's experiment, and where it was written. */
interface Source {
  readonly text: string;
  readonly document: YamlDocument;
  readonly experiment: Experiment;
}

/** The experiments of a folder, one YAML file each. A good edit takes effect; of a bad one the last good version stays. */
export class ExperimentFiles {
  readonly #folder: string | undefined;
  readonly #knownVersions: KnownVersions;
  #sources: ReadonlyMap<string, Source> = new Map();
  #set: ExperimentSet = NO_EXPERIMENTS;
  /** What the last look saw, so that a file that is still being written is left for the next one. */
  #seen: ReadonlyMap<string, string> = new Map();
  /** The texts that were refused: told once, not at every look. */
  #refused: ReadonlyMap<string, string> = new Map();

  /** @param folder undefined: there are no experiments */
  constructor(folder: string | undefined, knownVersions: KnownVersions) {
    this.#folder = folder;
    this.#knownVersions = knownVersions;
  }

  /** What is served now. */
  get current(): ExperimentSet {
    return this.#set;
  }

  /**
   * Reads the folder for the first time.
   *
   * @throws InvalidDocuments with everything that is wrong with all of the files
   */
  async load(): Promise<void> {
    const texts = await this.#read();
    const { sources, problems } = this.#parse(texts);
    const { set, problems: conflicts } = assemble(sources);
    if (problems.length + conflicts.length > 0) throw new InvalidDocuments([...problems, ...conflicts]);
    this.#seen = texts;
    this.#sources = sources;
    this.#set = set;
  }

  /** Looks whether a file changed. An edit takes effect when two looks in a row saw the same text. */
  async refresh(): Promise<ReloadReport> {
    let texts: ReadonlyMap<string, string>;
    try {
      texts = await this.#read();
    } catch (error) {
      if (!(error instanceof InvalidDocuments)) throw error;
      return this.#report([], new Map([[this.#folder ?? '', error.message]]), error.problems);
    }
    const settled = new Map<string, string>();
    for (const [file, text] of texts) {
      const known = this.#seen.get(file) === text ? text : this.#sources.get(file)?.text;
      if (known !== undefined) settled.set(file, known);
    }
    this.#seen = texts;
    return this.#apply(settled);
  }

  #apply(texts: ReadonlyMap<string, string>): ReloadReport {
    const edited = [...texts]
      .filter(([file, text]) => this.#sources.get(file)?.text !== text)
      .map(([file]) => file);
    const removed = [...this.#sources.keys()].filter((file) => !texts.has(file));
    if (edited.length + removed.length === 0) return this.#report([], new Map(), []);

    const kept = new Map([...this.#sources].filter(([file]) => texts.has(file)));
    const { sources: fresh, problems } = this.#parse(
      new Map(edited.map((file) => [file, texts.get(file) ?? ''])),
    );
    const refused = new Map(
      edited.filter((file) => !fresh.has(file)).map((file) => [file, texts.get(file) ?? '']),
    );
    const faults = [...problems];
    let sources = new Map([...kept, ...fresh]);
    let assembled = assemble(sources);
    if (assembled.problems.length > 0) {
      // Some edit clashes with another experiment: take them one by one, and leave out those that do.
      sources = kept;
      for (const [file, source] of fresh) {
        const next = new Map([...sources, [file, source]]);
        const tried = assemble(next);
        if (tried.problems.length === 0) sources = next;
        else {
          refused.set(file, source.text);
          faults.push(...tried.problems);
        }
      }
      assembled = assemble(sources);
    }
    const changed = [...removed, ...fresh.keys()].filter(
      (file) => sources.get(file) !== this.#sources.get(file),
    );
    this.#sources = sources;
    this.#set = assembled.set;
    return this.#report(changed, refused, faults);
  }

  /** Tells of a refusal once. */
  #report(
    changed: readonly string[],
    refused: ReadonlyMap<string, string>,
    problems: readonly Problem[],
  ): ReloadReport {
    const isNews = [...refused].some(([file, text]) => this.#refused.get(file) !== text);
    this.#refused = refused;
    if (isNews) return { changed, refused: [...refused.keys()], problems };
    return changed.length > 0 ? { changed, refused: [], problems: [] } : NOTHING_NEW;
  }

  #parse(texts: ReadonlyMap<string, string>): {
    readonly sources: ReadonlyMap<string, Source>;
    readonly problems: readonly Problem[];
  } {
    const sources = new Map<string, Source>();
    const problems: Problem[] = [];
    for (const [file, text] of texts) {
      try {
        const document = parseYaml(text, file);
        sources.set(file, { text, document, experiment: readExperiment(document, this.#knownVersions) });
      } catch (error) {
        if (!(error instanceof InvalidDocuments)) throw error;
        problems.push(...error.problems);
      }
    }
    return { sources, problems };
  }

  async #read(): Promise<ReadonlyMap<string, string>> {
    const folder = this.#folder;
    if (folder === undefined) return new Map();
    try {
      const names = (await readdir(folder)).filter((name) => /^[^.].*\.ya?ml$/.test(name)).sort();
      const texts = names.map(async (name) => {
        const file = join(folder, name);
        return [file, await readFile(file, 'utf8')] as const;
      });
      return new Map(await Promise.all(texts));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new InvalidDocuments([fileProblem(folder, `can't be read: ${reason}`)]);
    }
  }
}

function assemble(sources: ReadonlyMap<string, Source>): {
  readonly set: ExperimentSet;
  readonly problems: readonly Problem[];
} {
  const files = [...sources.values()];
  const { set, conflicts } = assembleExperiments(files.map((source) => source.experiment));
  const sourceOf = (experiment: Experiment): Source | undefined =>
    files.find((source) => source.experiment === experiment);
  const problems = conflicts.flatMap(({ first, second, path, message }) => {
    const where = sourceOf(second)?.document;
    const other = sourceOf(first)?.document.file ?? first.key;
    return where === undefined ? [] : [where.problemAt(path, `${message} (${other})`)];
  });
  return { set, problems };
}
