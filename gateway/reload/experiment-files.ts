import { createHash } from 'node:crypto';
import { InvalidDocuments } from '../../documents/problem.ts';
import type { Problem } from '../../documents/problem.ts';
import { parseYaml } from '../../documents/yaml-document.ts';
import type { YamlDocument } from '../../documents/yaml-document.ts';
import { readExperiment } from '../../experiments/definition.ts';
import type { Experiment, Holdout, KnownVersions } from '../../experiments/definition.ts';
import { diffExperiments, explainRefusal, refusedChanges } from '../../experiments/experiment-diff.ts';
import { NO_EXPERIMENTS, assembleExperiments } from '../../experiments/experiment-set.ts';
import type { ExperimentSet } from '../../experiments/experiment-set.ts';
import { keptDefinition, withHeadersOf } from '../../experiments/standing/kept-definition.ts';
import type { KeptDefinition } from '../../experiments/standing/kept-definition.ts';
import type { WrittenExperiment } from '../../experiments/standing/reconcile.ts';
import { variantMisfits } from '../signatures/variant-misfits.ts';
import type { VariantMisfit } from '../signatures/variant-misfits.ts';
import type { Describe } from '../signatures/describe.ts';
import { SideBySide } from '../../experiments/side-by-side.ts';
import { SettledFolder } from './settled-folder.ts';
import type { Look } from './settled-folder.ts';

/** What a look at the folder brought. */
export interface ReloadReport {
  /** Files whose new text, or removal, took effect. */
  readonly changed: readonly string[];
  /** What was refused, told once for each text and its problems; the last good version stays. */
  readonly refused: readonly Refusal[];
}

export interface Refusal {
  /** The file, or the folder where it can't be read. */
  readonly file: string;
  /** At least one. */
  readonly problems: readonly Problem[];
}

/** A file's experiment, and where it was written. */
interface Source extends WrittenExperiment {
  readonly text: string;
  /** What it was read of: its text, or what was kept of the text before, with the file's secrets. */
  readonly readOf: string;
  readonly document: YamlDocument;
}

type Sources = ReadonlyMap<string, Source>;

/** An experiment's file that is in force, as another process can go on with it. */
export interface ExperimentText extends Pick<Source, 'text' | 'readOf' | 'definition' | 'digest'> {
  readonly file: string;
}

export interface ExperimentFilesOptions {
  /** Undefined: there are no experiments. */
  readonly folder: string | undefined;
  readonly knownVersions: KnownVersions;
  /** What variants take and give; left out: nobody knows. */
  readonly describe?: Describe;
  /** Units that every experiment leaves alone. */
  readonly holdout?: Holdout | undefined;
  /** Told of all that is in force whenever that changes. */
  readonly onInForce?: (files: readonly ExperimentText[]) => void;
  /** Milliseconds since 1970. */
  readonly nowMs?: () => number;
}

/** A variant that can't answer as the control does, and where it is written. */
export interface PlacedMisfit extends VariantMisfit {
  readonly experiment: string;
  readonly problem: Problem;
}

/** The experiments of a folder, one YAML file each. A good edit takes effect; of a bad one the last good version stays. */
export class ExperimentFiles {
  readonly #folder: SettledFolder | undefined;
  readonly #knownVersions: KnownVersions;
  readonly #describe: Describe;
  readonly #holdout: Holdout | undefined;
  readonly #onInForce: ExperimentFilesOptions['onInForce'];
  readonly #nowMs: () => number;
  #sources: Sources = new Map();
  /** Whether what comes now is an edit. */
  #isOpen = false;
  #set: ExperimentSet = NO_EXPERIMENTS;
  /** By key, what was served last of the experiments whose files went, or are drafts: one that comes back is the same experiment still. */
  readonly #gone = new Map<string, Source>();
  /** What has been told of each file that is refused. */
  #told: ReadonlyMap<string, string> = new Map();

  constructor({
    folder,
    knownVersions,
    describe,
    holdout,
    onInForce,
    nowMs = Date.now,
  }: ExperimentFilesOptions) {
    this.#folder = folder === undefined ? undefined : new SettledFolder(folder);
    this.#knownVersions = knownVersions;
    this.#describe = describe ?? (() => undefined);
    this.#holdout = holdout;
    this.#onInForce = onInForce;
    this.#nowMs = nowMs;
  }

  /** The experiments as their files say, drafts too. */
  get written(): readonly WrittenExperiment[] {
    return [...this.#sources.values()];
  }

  /** What the files alone would have served. */
  get current(): ExperimentSet {
    return this.#set;
  }

  /**
   * Reads the folder for the first time.
   *
   * @throws InvalidDocuments with everything that is wrong with all of the files
   */
  async load(): Promise<void> {
    if (this.#folder === undefined) return;
    const { refused } = this.#apply(await this.#folder.open());
    this.#isOpen = true;
    if (refused.length === 0) return;
    this.#sources = new Map();
    this.#set = NO_EXPERIMENTS;
    throw new InvalidDocuments(refused.flatMap(({ problems }) => problems));
  }

  /**
   * Goes on with what a process before had in force: versions that went since, or a file that is bad by now, keep nobody from being served, as they
   * didn't then. What was edited since is an edit like any other.
   */
  resume(inForce: readonly ExperimentText[]): void {
    this.#folder?.resume(new Map(inForce.map(({ file, text }) => [file, text])));
    this.#take(
      new Map(
        inForce.map(({ file, readOf, ...kept }) => {
          const read = parse(file, readOf, undefined);
          if (read instanceof InvalidDocuments) throw read;
          return [file, { ...read, ...kept }];
        }),
      ),
    );
    this.#isOpen = true;
  }

  /**
   * Holds edits that were made while no process ran to what holds for any: of one that is refused, the last good version stays, and the next look
   * tells of it.
   *
   * @param servedBefore what is kept of the file that an experiment was served by last; undefined where that isn't known
   */
  async holdTo(servedBefore: (key: string) => Promise<KeptDefinition | undefined>): Promise<void> {
    const held = await Promise.all(
      [...this.#sources].map(async ([file, source]): Promise<readonly [string, Source]> => {
        const last = await servedBefore(source.experiment.key);
        if (last === undefined || last.definition === source.definition) return [file, source];
        // Its versions may be gone meanwhile, and an older release may have read it otherwise.
        const before = parseKept(file, last, source.document.data);
        if (before instanceof InvalidDocuments) return [file, source];
        if (isDraft(source)) {
          // It answers nobody, whatever stands in it; what it is when it does is held to what was served.
          if (!isDraft(before)) this.#gone.set(source.experiment.key, before);
          return [file, source];
        }
        const isRefused = refusedEdits(before.experiment, source, this.#nowMs()).length > 0;
        return [file, isRefused ? before : source];
      }),
    );
    const kept = new Map(held);
    // What no longer goes together with another file's edit can't stay.
    if (!goTogether(kept)) return;
    this.#take(kept);
  }

  /**
   * Refuses experiments whose variants don't fit, as an edit would be. One that was served as it stands goes on: its models' files were changed since, which
   * must not keep all others from being served.
   *
   * @param servedBefore as for {@link holdTo}
   * @throws InvalidDocuments
   */
  async refuseMisfits(servedBefore: (key: string) => Promise<KeptDefinition | undefined>): Promise<void> {
    const problems: Problem[] = [];
    for (const source of this.#sources.values()) {
      const faults = this.#misfitsOf(source).filter(({ isFault }) => isFault);
      if (faults.length === 0) continue;
      const last = await servedBefore(source.experiment.key);
      if (last?.digest !== source.digest) problems.push(...faults.map(({ problem }) => problem));
    }
    if (problems.length > 0) throw new InvalidDocuments(problems);
  }

  /** The variants that can't answer as their control does, as far as it is known now what they take and give. */
  misfits(): readonly PlacedMisfit[] {
    return [...this.#sources.values()].flatMap((source) => this.#misfitsOf(source));
  }

  /** Looks whether a file changed. An edit takes effect when two looks in a row saw the same. */
  async refresh(): Promise<ReloadReport> {
    if (this.#folder === undefined) return { changed: [], refused: [] };
    return this.#apply(await this.#folder.look());
  }

  #apply({ files, problem }: Look): ReloadReport {
    const refused = new Map<string, readonly Problem[]>();
    if (problem !== undefined) refused.set(problem.file, [problem]);
    const fresh = new Map<string, Source>();
    for (const [file, state] of files) {
      if (state.kind === 'unreadable') refused.set(file, [state.problem]);
      else if (this.#sources.get(file)?.text !== state.text) {
        const read = parse(file, state.text, this.#knownVersions);
        if (read instanceof InvalidDocuments) refused.set(file, read.problems);
        else fresh.set(file, read);
      }
    }
    for (const [file, source] of fresh) {
      const faults = this.#misfitsOf(source).filter(({ isFault }) => isFault);
      const problems = [
        ...this.#refusedEdits(file, source, files),
        ...(this.#isOpen ? faults.map(({ problem }) => problem) : []),
      ];
      if (problems.length === 0) continue;
      refused.set(file, problems);
      fresh.delete(file);
    }
    const kept = new Map([...this.#sources].filter(([file]) => files.has(file)));
    const isIdle = fresh.size === 0 && kept.size === this.#sources.size;
    if (isIdle) return { changed: [], refused: this.#news(refused, files) };
    const { accepted, clashes } = accept(kept, fresh);
    for (const [file, problems] of clashes) refused.set(file, problems);

    const before = this.#sources;
    const known = new Set([...before.keys(), ...accepted.keys()]);
    const changed = [...known].filter((file) => before.get(file) !== accepted.get(file));
    if (changed.length > 0) {
      this.#take(accepted);
      for (const source of before.values())
        if (!isDraft(source)) this.#gone.set(source.experiment.key, source);
      for (const source of accepted.values()) if (!isDraft(source)) this.#gone.delete(source.experiment.key);
    }
    return { changed, refused: this.#news(refused, files) };
  }

  #misfitsOf({ document, experiment }: Source): readonly PlacedMisfit[] {
    return variantMisfits(experiment, this.#describe).map((misfit) => {
      const index = indexOf(document.data, misfit.variant.name);
      const problem = document.problemAt(['variants', index], misfit.message);
      return { ...misfit, experiment: experiment.key, problem };
    });
  }

  #take(sources: Sources): void {
    this.#sources = sources;
    const experiments = [...sources.values()].map(({ experiment }) => experiment);
    this.#set = assembleExperiments(experiments, this.#holdout).set;
    this.#onInForce?.(
      [...sources].map(([file, { text, readOf, definition, digest }]) => {
        return { file, text, readOf, definition, digest };
      }),
    );
  }

  /** Of what is refused, what has not been told yet. */
  #news(refused: ReadonlyMap<string, readonly Problem[]>, files: Look['files']): readonly Refusal[] {
    const told = this.#told;
    // Whoever edits a refused file again is told again, of the same problem too: silence would say that it took effect.
    const textOf = (file: string): string | undefined => {
      const state = files.get(file);
      return state?.kind === 'unreadable' ? undefined : state?.text;
    };
    this.#told = new Map(
      [...refused].map(([file, problems]) => [file, JSON.stringify([problems, textOf(file)])]),
    );
    return [...refused]
      .filter(([file]) => told.get(file) !== this.#told.get(file))
      .map(([file, problems]) => ({ file, problems }));
  }

  /** What a file changes of a running experiment that it may not change as it runs. */
  #refusedEdits(file: string, source: Source, files: Look['files']): readonly Problem[] {
    const { experiment } = source;
    // A file that was renamed still has its experiment's key.
    const renamed = [...this.#sources].find(
      ([name, source]) => !files.has(name) && source.experiment.key === experiment.key,
    );
    const here = this.#sources.get(file) ?? renamed?.[1];
    if (here !== undefined && !isDraft(here)) return refusedEdits(here.experiment, source, this.#nowMs());
    // A draft may become anything, until it answers somebody.
    const before = isDraft(source) ? undefined : this.#gone.get(experiment.key);
    return before === undefined ? [] : refusedEdits(before.experiment, source, this.#nowMs());
  }
}

function isDraft({ experiment }: Source): boolean {
  return experiment.status === 'draft';
}

/** Variants are kept by their names, and written in any order. */
function indexOf(data: unknown, name: string): number {
  const written: unknown =
    typeof data === 'object' && data !== null && 'variants' in data ? data.variants : [];
  const variants: readonly unknown[] = Array.isArray(written) ? written : [];
  return variants.findIndex(
    (variant) =>
      typeof variant === 'object' && variant !== null && 'name' in variant && variant.name === name,
  );
}

function parse(
  file: string,
  text: string,
  knownVersions: KnownVersions | undefined,
): Source | InvalidDocuments {
  try {
    const document = parseYaml(text, file);
    const digest = createHash('sha256').update(text).digest('hex');
    const definition = keptDefinition(text, document.data);
    const experiment = readExperiment(document, knownVersions);
    return { text, readOf: text, definition, digest, document, experiment };
  } catch (error) {
    if (error instanceof InvalidDocuments) return error;
    throw error;
  }
}

/** What was kept, under the name that its file had; secrets are the file's of today. */
function parseKept(
  file: string,
  { definition, digest }: KeptDefinition,
  today: unknown,
): Source | InvalidDocuments {
  const kept = parse(file, definition, undefined);
  if (kept instanceof InvalidDocuments) return kept;
  const filled = parse(file, JSON.stringify(withHeadersOf(kept.document.data, today)), undefined);
  return filled instanceof InvalidDocuments ? filled : { ...filled, text: definition, definition, digest };
}

function refusedEdits(
  before: Experiment,
  { experiment, document }: Source,
  nowMs: number,
): readonly Problem[] {
  const changes = diffExperiments(before, experiment, nowMs);
  return refusedChanges(before, experiment, changes).map((change) =>
    document.problemAt(change.path, explainRefusal(change, before)),
  );
}

/**
 * Adds fresh experiments to those that are kept: all of them where they go together, else as many as do, whatever their
 * order. A clash is the fault of the file that was edited.
 */
function accept(
  kept: Sources,
  fresh: Sources,
): { readonly accepted: Sources; readonly clashes: ReadonlyMap<string, readonly Problem[]> } {
  const accepted = new Map(kept);
  const placed = new SideBySide([...kept.values()].map(({ experiment }) => experiment));
  const sourceOf = new Map(
    [...kept.values(), ...fresh.values()].map((source) => [source.experiment, source]),
  );
  let waiting = fresh;
  for (;;) {
    const clashes = new Map<string, readonly Problem[]>();
    for (const [file, source] of waiting) {
      const before = accepted.get(file);
      const conflict = placed.put(source.experiment, before?.experiment);
      if (conflict === undefined) accepted.set(file, source);
      else {
        const { first, second, path, message } = conflict;
        // Two others that are left without a live one between them are this file's doing too.
        const { document } = sourceOf.get(second) ?? source;
        const other = sourceOf.get(first)?.document.file ?? first.key;
        clashes.set(file, [document.problemAt(path, `${message} (${other})`)]);
      }
    }
    if (clashes.size === 0) return { accepted, clashes };
    if (clashes.size === waiting.size) {
      // Edits that take each other's place go together only.
      const together = new Map([...kept, ...fresh]);
      return goTogether(together) ? { accepted: together, clashes: new Map() } : { accepted, clashes };
    }
    waiting = new Map([...waiting].filter(([file]) => clashes.has(file)));
  }
}

function goTogether(sources: Sources): boolean {
  return (
    assembleExperiments([...sources.values()].map(({ experiment }) => experiment)).conflicts.length === 0
  );
}
