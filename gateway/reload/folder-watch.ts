import type { Logger } from 'pino';
import type { ModelRepository } from '../../backends/repository/repository.ts';
import { formatProblem } from '../../documents/problem.ts';
import type { ExperimentSet } from '../../experiments/experiment-set.ts';
import type { StandingBook } from '../standing/standing-book.ts';
import type { StickyUnits } from '../sticky/sticky-units.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import type { ExperimentFiles } from './experiment-files.ts';
import { leftModels } from './left-models.ts';

/** Time between two looks at the folders; a change takes effect when two looks saw the same. */
const LOOK_EVERY_MS = 500;

/** How long an edit waits for servers that it names and that nobody was sent to before: with the looks it is in force within two seconds. */
const ASK_WITHIN_MS = 750;

export interface FolderWatchOptions {
  /** Undefined: what is loaded stays as it is. */
  readonly models: Pick<ModelRepository, 'refresh'> | undefined;
  readonly files: Pick<ExperimentFiles, 'refresh' | 'misfits' | 'current'>;
  readonly experiments: StandingBook;
  /** Whether other replicas change where the experiments stand, too. */
  readonly isShared: boolean;
  /** The highest version of a model that is ready; undefined where none is. */
  readonly highestReady: (model: string) => number | undefined;
  readonly upstreams: Pick<Upstreams, 'prepare' | 'follow'>;
  readonly sticky: Pick<StickyUnits, 'follow'>;
  /** Brings the audit file up to the store's log. */
  readonly keepAudit: () => Promise<void>;
  readonly metrics: Pick<Metrics, 'recordReload'>;
  readonly log: Logger;
}

/** Looks at the models' and the experiments' folders, twice a second, and has what they wish put in force. */
export class FolderWatch {
  readonly #options: FolderWatchOptions;
  /** Why the model repository could not be read at the last look. */
  #modelsFault = '';
  /** What was told of variants that don't fit their control. */
  #toldMisfits: ReadonlySet<string> = new Set();
  #isWatching = false;
  #look: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: FolderWatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.#isWatching = true;
    this.#scheduleLook();
  }

  /** No look begins from now on. */
  beginStop(): void {
    this.#isWatching = false;
    clearTimeout(this.#timer);
  }

  /** Resolves when the look that is under way has ended, too. */
  async stop(): Promise<void> {
    this.beginStop();
    await this.#look;
  }

  #scheduleLook(): void {
    if (!this.#isWatching) return;
    this.#timer = setTimeout(() => {
      this.#look = this.#lookAtFolders().finally(() => {
        this.#scheduleLook();
      });
    }, LOOK_EVERY_MS);
  }

  async #lookAtFolders(): Promise<void> {
    const { models, files, experiments, isShared, upstreams, keepAudit, metrics, log } = this.#options;
    // Not waited for: a large model takes long to load, and an edited experiment must not wait for it.
    if (models !== undefined) void this.#refreshModels(models);
    const before = experiments.current;
    const { changed, refused } = await files.refresh();
    if (changed.length > 0) {
      // Callers of a variant whose server is another one would get the control until it was asked.
      await upstreams.prepare(files.current, ASK_WITHIN_MS);
      // Nothing else is waited for: a store or a server that is slow must not hold up the next edit.
      this.#takeExperiments(before);
    } else if (isShared || experiments.isStoreAway) void experiments.refresh();
    // What other replicas did, and what could not be kept before.
    if (isShared) void keepAudit();
    for (const file of changed) {
      metrics.recordReload('success');
      log.info({ file }, 'experiment file took effect');
    }
    for (const { file, problems } of refused) {
      metrics.recordReload('failure');
      const told = { file, problems: problems.map(formatProblem) };
      log.error(told, 'experiment file refused; the last good one stays');
    }
    this.#tellMisfits();
  }

  /** A model's file may be changed under an experiment that it fitted; told once. */
  #tellMisfits(): void {
    const { files, log } = this.#options;
    const misfits = files.misfits().map((misfit) => ({ ...misfit, text: formatProblem(misfit.problem) }));
    for (const { experiment, variant, isFault, text } of misfits) {
      if (this.#toldMisfits.has(text)) continue;
      const told = { experiment, variant: variant.name, problem: text };
      if (isFault) log.error(told, 'a variant can not answer what its control answers');
      else log.warn(told, 'a variant differs from its control in what it takes or gives');
    }
    this.#toldMisfits = new Set(misfits.map(({ text }) => text));
  }

  /** @param before what was in force when the edit was seen */
  #takeExperiments(before: ExperimentSet): void {
    const { experiments, highestReady, upstreams, sticky, log } = this.#options;
    const causes = new Map(
      experiments.situations.map(({ experiment, standing }) => [experiment.key, standing.cause]),
    );
    void experiments.takeFiles();
    for (const { experiment, ...left } of leftModels(before, experiments.current, highestReady)) {
      const { action: lastChange, reason } = causes.get(experiment) ?? {};
      log.warn(
        { experiment, ...left, lastChange, reason },
        'no experiment routes the model any more: all its calls go to its highest version. ' +
          'An experiment that is `completed` with a `winner` keeps them where they were',
      );
    }
    // In the same turn: a variant that is in force without its server would be missed by every call meanwhile.
    void upstreams.follow(experiments.current);
    sticky.follow(experiments.current.byKey.values());
  }

  async #refreshModels(models: Pick<ModelRepository, 'refresh'>): Promise<void> {
    try {
      await models.refresh();
      this.#modelsFault = '';
    } catch (error) {
      const fault = error instanceof Error ? error.message : String(error);
      // Once, not at every look.
      if (fault !== this.#modelsFault)
        this.#options.log.error({ fault }, 'a model repository can not be read; what is loaded stays');
      this.#modelsFault = fault;
    }
  }
}
