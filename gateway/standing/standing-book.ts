import type { Logger } from 'pino';
import type { Experiment } from '../../experiments/definition.ts';
import { NO_EXPERIMENTS } from '../../experiments/experiment-set.ts';
import type { ExperimentSet } from '../../experiments/experiment-set.ts';
import type { Outcome } from '../../experiments/standing/command.ts';
import { StandingOverlay, experimentsInForce } from '../../experiments/standing/in-force.ts';
import type { Situation } from '../../experiments/standing/in-force.ts';
import type { WrittenExperiment } from '../../experiments/standing/reconcile.ts';
import type { Standing } from '../../experiments/standing/standing.ts';
import type { AuditLog, Documents } from '../../experiments/stores/state-store.ts';
import { HeldStanding } from './held-standing.ts';
import type { KeptStandings } from './kept-standings.ts';
import type { ChangeRequest, Changed, StandingChange } from './standing-change.ts';

/** What the files wish, as they are now. */
export interface WishedExperiments {
  /** Drafts too. */
  readonly written: readonly WrittenExperiment[];
  /** What the files alone would have served. */
  readonly current: ExperimentSet;
}

export interface StandingBookOptions {
  readonly store: AuditLog & Documents;
  readonly files: WishedExperiments;
  /** What this machine knows where the store doesn't; left out: nothing. */
  readonly kept?: KeptStandings | undefined;
  readonly log: Logger;
  /** Milliseconds since 1970, the same on all replicas. */
  readonly nowMs?: () => number;
}

/** Where all experiments stand, on this replica: what the files wish, with what the state store says in its place. */
export class StandingBook {
  readonly #options: StandingBookOptions;
  readonly #overlay = new StandingOverlay();
  readonly #standings = new Map<string, HeldStanding>();
  readonly #listeners = new Set<(change: StandingChange) => void>();
  #set: ExperimentSet = NO_EXPERIMENTS;
  #isStoreAway = false;
  #refreshing: Promise<void> | undefined;

  /** Asks the store where the experiments stand; where it is away they stand as they stood last here, or as their files say. */
  static async open(options: StandingBookOptions): Promise<StandingBook> {
    const book = new StandingBook(options);
    await book.takeFiles();
    return book;
  }

  private constructor(options: StandingBookOptions) {
    this.#options = options;
  }

  /** What is served now. */
  get current(): ExperimentSet {
    return this.#set;
  }

  /** Whether the store could not be asked at the last try: what is in force stays, and nothing can be changed by hand. */
  get isStoreAway(): boolean {
    return this.#isStoreAway;
  }

  /** An experiment's file beside where it stands; undefined where it isn't served, or the store was never asked. */
  situation(key: string): Situation | undefined {
    return this.#standings.get(key)?.situation;
  }

  /** Whether another replica has taken up another file of an experiment than this one has. */
  hasOtherFile(key: string): boolean {
    return this.#standings.get(key)?.isOutdated === true;
  }

  /** The situations of all experiments that are served. */
  get situations(): readonly Situation[] {
    return [...this.#standings.values()].flatMap(({ situation }) => situation ?? []);
  }

  /**
   * Tells of each change once it is in force here, whoever made it.
   *
   * @returns ends that
   */
  onChange(listener: (change: StandingChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Takes up what the files say now. It is in force when this returns; the promise resolves when the store has it too, or is
   * known to be away.
   */
  takeFiles(): Promise<void> {
    const files = new Map(
      this.#options.files.written
        .filter(({ experiment }) => experiment.status !== 'draft')
        .map((file) => [file.experiment.key, file]),
    );
    for (const [key, standing] of this.#standings) {
      if (files.has(key)) continue;
      standing.close();
      this.#standings.delete(key);
    }
    const fresh: string[] = [];
    for (const [key, file] of files) {
      const standing = this.#standings.get(key);
      if (standing === undefined) this.#enter(key, file);
      if (standing === undefined || standing.takeFile(file)) fresh.push(key);
    }
    this.#assemble();
    return this.#syncAll(fresh);
  }

  /** Asks the store again: for what a lost message told, and to bring it what it doesn't have. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#syncAll([...this.#standings.keys()]).finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  /**
   * Changes where an experiment stands, from what the store says of it now.
   *
   * @param decide called again where somebody else was first; pure
   * @throws StoreUnavailable: it may or may not be in the store; what is in force here stays until that is known
   * @throws LeaseLost
   */
  change(key: string, decide: (situation: Situation) => Outcome, request: ChangeRequest): Promise<Changed> {
    const standing = this.#standings.get(key);
    return standing?.change(decide, request) ?? Promise.resolve({ kind: 'unknown' });
  }

  async close(): Promise<void> {
    for (const standing of this.#standings.values()) standing.close();
    this.#standings.clear();
    await this.#options.kept?.settled();
  }

  #enter(key: string, file: WrittenExperiment): void {
    const { store, kept, log, nowMs = Date.now } = this.#options;
    const standing = new HeldStanding(file, {
      store,
      kept,
      log,
      nowMs,
      onStored: () => void this.#syncAll([key]),
      onHeld: (change) => {
        const { before, after } = change;
        if (before?.id !== after.id || before.version !== after.version) this.#assemble();
        for (const listener of this.#listeners) listener(change);
      },
    });
    this.#standings.set(key, standing);
  }

  async #syncAll(keys: readonly string[]): Promise<void> {
    const faults = await Promise.all(keys.map((key) => this.#faultOfSync(this.#standings.get(key))));
    if (keys.length > 0) this.#noteStore(faults.find((fault) => fault !== undefined));
  }

  /** @returns why the store could not be asked; undefined: it could, or there was nothing to ask it */
  async #faultOfSync(standing: HeldStanding | undefined): Promise<Error | undefined> {
    try {
      await standing?.sync();
      return undefined;
    } catch (error) {
      if (standing?.standAsKept() === true) this.#assemble();
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  #noteStore(fault: Error | undefined): void {
    const { log } = this.#options;
    const isAway = fault !== undefined;
    if (isAway !== this.#isStoreAway) {
      if (isAway)
        log.error({ fault: fault.message }, 'the state store is away; the weights in force stay as they are');
      else log.info('the state store is back, and the weights are in step with it');
    }
    this.#isStoreAway = isAway;
  }

  #assemble(): void {
    const standingOf = ({ key }: Experiment): Standing | undefined => this.#standings.get(key)?.standing;
    this.#set = experimentsInForce(this.#options.files.current, standingOf, this.#overlay);
  }
}
