import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Experiment } from '../../experiments/definition.ts';
import { NO_EXPERIMENTS } from '../../experiments/experiment-set.ts';
import type { ExperimentSet } from '../../experiments/experiment-set.ts';
import { auditRecord } from '../../experiments/standing/audit-record.ts';
import type { AuditRecord } from '../../experiments/standing/audit-record.ts';
import type { Outcome } from '../../experiments/standing/command.ts';
import { StandingOverlay, experimentsInForce } from '../../experiments/standing/in-force.ts';
import type { Situation } from '../../experiments/standing/in-force.ts';
import { firstStanding, reconcile } from '../../experiments/standing/reconcile.ts';
import type { WrittenExperiment } from '../../experiments/standing/reconcile.ts';
import { nextStanding, readStanding, standingKey, withRequest } from '../../experiments/standing/standing.ts';
import type { Cause, NamedRequest, Standing } from '../../experiments/standing/standing.ts';
import { StoreUnavailable } from '../../experiments/stores/state-store.ts';
import type { AuditLog, Documents, Fence } from '../../experiments/stores/state-store.ts';
import { ChangeHistory } from './change-history.ts';
import type { KeptStandings } from './kept-standings.ts';

/** How often a change is tried when others change the same experiment at the same moment. */
const MAX_TRIES = 20;

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

/** A change that is in force on this replica. */
export interface StandingChange {
  readonly experiment: Experiment;
  /** Undefined for the first that this replica has of the experiment. */
  readonly before: Standing | undefined;
  readonly after: Standing;
  /** What the audit log says of it, and of what this replica had missed before; nothing for what was only taken up or brought back. */
  readonly records: readonly AuditRecord[];
}

export interface ChangeRequest {
  readonly cause: Cause;
  /** Undefined: nobody's lease is needed. */
  readonly fence?: Fence | undefined;
  /** A request with a name: one that was taken before changes nothing again. */
  readonly request?: NamedRequest | undefined;
  /** Tells what would come of it, and changes nothing. */
  readonly isDryRun?: boolean | undefined;
}

/** What came of a request to change something. */
export type Changed =
  | { readonly kind: 'changed'; readonly before: Standing; readonly after: Standing }
  /** It stood there already, or the request is one that was taken before. */
  | { readonly kind: 'same'; readonly standing: Standing }
  | Extract<Outcome, { readonly kind: 'refused' }>
  /** A request that asked for something else was taken under that name. */
  | { readonly kind: 'key_reused'; readonly action: string }
  /** The store has another file's standing: the replicas' files differ. */
  | { readonly kind: 'other_file' }
  /** No such experiment is served. */
  | { readonly kind: 'unknown' };

interface Entry {
  file: WrittenExperiment;
  /** What is in force here. */
  held: Standing | undefined;
  /** What led there. */
  readonly history: ChangeHistory;
  isUnsaved: boolean;
  /** Whether the store's standing is of another file's text, which another replica was given. */
  isOutdated: boolean;
  /** Whether it was told that nobody knows where it stands. */
  isAdrift: boolean;
  readonly unwatch: () => void;
  /** What is done with one experiment is done in turn. */
  turn: Promise<unknown>;
}

/**
 * Where each experiment stands, on this replica: what the files wish, with what the state store says in its place. Every
 * change is in the store before it takes effect, except what a file's edit says itself.
 */
export class StandingBook {
  readonly #store: AuditLog & Documents;
  readonly #files: WishedExperiments;
  readonly #kept: KeptStandings | undefined;
  readonly #log: Logger;
  readonly #nowMs: () => number;
  readonly #overlay = new StandingOverlay();
  readonly #entries = new Map<string, Entry>();
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

  private constructor({ store, files, kept, log, nowMs = Date.now }: StandingBookOptions) {
    this.#store = store;
    this.#files = files;
    this.#kept = kept;
    this.#log = log;
    this.#nowMs = nowMs;
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
    const entry = this.#entries.get(key);
    return entry?.held && { experiment: entry.file.experiment, standing: entry.held };
  }

  /** Whether another replica has taken up another file of an experiment than this one has. */
  hasOtherFile(key: string): boolean {
    return this.#entries.get(key)?.isOutdated === true;
  }

  /** The situations of all experiments that are served. */
  get situations(): readonly Situation[] {
    return [...this.#entries.keys()].flatMap((key) => this.situation(key) ?? []);
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
      this.#files.written
        .filter(({ experiment }) => experiment.status !== 'draft')
        .map((file) => [file.experiment.key, file]),
    );
    for (const [key, entry] of this.#entries) {
      if (files.has(key)) continue;
      entry.unwatch();
      this.#entries.delete(key);
    }
    const fresh: string[] = [];
    for (const [key, file] of files) {
      const entry = this.#entries.get(key);
      if (entry?.file.digest === file.digest) entry.file = file;
      else fresh.push(key);
      if (entry === undefined) this.#enter(key, file);
      else if (entry.file.digest !== file.digest) this.#edit(entry, file);
    }
    this.#assemble();
    return this.#syncAll(fresh);
  }

  /** Asks the store again: for what a lost message told, and to bring it what it doesn't have. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#syncAll([...this.#entries.keys()]).finally(() => {
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
    const entry = this.#entries.get(key);
    if (entry === undefined) return Promise.resolve({ kind: 'unknown' });
    return this.#inTurn(entry, async () => {
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        const changed = await this.#tryChange(key, entry, decide, request);
        if (changed !== undefined) return changed;
      }
      throw new StoreUnavailable(`experiment ${key} changed at every try to change it`);
    });
  }

  async close(): Promise<void> {
    for (const entry of this.#entries.values()) entry.unwatch();
    this.#entries.clear();
    await this.#kept?.settled();
  }

  /** @returns undefined where somebody else was first */
  async #tryChange(
    key: string,
    entry: Entry,
    decide: (situation: Situation) => Outcome,
    { cause, fence, request, isDryRun = false }: ChangeRequest,
  ): Promise<Changed | undefined> {
    const documentVersion = await this.#sync(key, entry);
    const { held, file } = entry;
    if (documentVersion === undefined || held === undefined) return { kind: 'other_file' };
    const taken = request && takenBefore(request, held);
    if (taken !== undefined) return taken;
    const outcome = decide({ experiment: file.experiment, standing: held });
    if (outcome.kind === 'refused') return outcome;
    const fenced = fence !== undefined && { fence };
    if (outcome.kind === 'same') {
      if (request === undefined || isDryRun) return { kind: 'same', standing: held };
      // Sent again when somebody has changed it since, it must not change it back.
      const standing = withRequest(held, request);
      const written = await this.#store.writeDocument(standingKey(key), standing, documentVersion, {
        ...fenced,
      });
      if (written === undefined) return undefined;
      this.#remember(entry, standing);
      return { kind: 'same', standing };
    }
    const after = nextStanding(held, { split: outcome.split, cause, id: randomUUID(), request });
    if (isDryRun) return { kind: 'changed', before: held, after };
    const record = auditRecord(file.experiment.model, held, after);
    const options = { audit: [record], ...fenced };
    const written = await this.#store.writeDocument(standingKey(key), after, documentVersion, options);
    if (written === undefined) return undefined;
    this.#hold(entry, after, [record]);
    return { kind: 'changed', before: held, after };
  }

  /**
   * Brings one experiment in step with the store.
   *
   * @returns the document's version; undefined where the store has another file's
   */
  async #sync(key: string, entry: Entry): Promise<number | undefined> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const document = await this.#store.readDocument(standingKey(key));
      const stored = document === undefined ? undefined : readStanding(document.value);
      if (document !== undefined && stored === undefined)
        this.#log.error(
          { experiment: key },
          'the state store has no standing under that name; it is replaced',
        );
      const at = new Date(this.#nowMs()).toISOString();
      const { file, isUnsaved } = entry;
      const held = entry.held ?? this.#lostHere(entry, stored);
      const step = reconcile({ file, held, isUnsaved }, stored, randomUUID(), at);
      const version = document?.version ?? 0;
      switch (step.kind) {
        case 'keep':
          entry.isOutdated = stored?.id !== held?.id;
          if (entry.isOutdated) return undefined;
          // Another replica has stored the edit that both have read.
          if (isUnsaved && stored !== undefined)
            this.#hold(entry, stored, await entry.history.of(stored.version));
          else if (stored !== undefined && !isSameRequests(stored, held)) this.#remember(entry, stored);
          return version;
        case 'adopt': {
          const { standing } = step;
          this.#hold(entry, standing, await entry.history.leadingTo(standing, held, file.experiment.model));
          return version;
        }
        case 'write': {
          const { standing } = step;
          const before = stored ?? (isUnsaved ? undefined : held);
          const record = auditRecord(file.experiment.model, before, standing);
          const lost = await entry.history.lost();
          const audit = [...lost, record];
          const written = await this.#store.writeDocument(standingKey(key), standing, version, { audit });
          if (written === undefined) continue;
          this.#hold(entry, standing, before?.version === standing.version ? [] : [record]);
          if (standing.cause.action === 'recover')
            this.#log.error(
              { experiment: key, version: standing.version },
              'the state store had lost where the experiment stands; it has it again, and what was counted is gone',
            );
          return written;
        }
      }
    }
    throw new StoreUnavailable(`experiment ${key} changed at every try to read it`);
  }

  async #syncAll(keys: readonly string[]): Promise<void> {
    const faults = await Promise.all(
      keys.map(async (key) => {
        const entry = this.#entries.get(key);
        if (entry === undefined) return undefined;
        try {
          await this.#inTurn(entry, () => this.#sync(key, entry));
          return undefined;
        } catch (error) {
          this.#standAsKept(key, entry);
          return error instanceof Error ? error : new Error(String(error));
        }
      }),
    );
    const fault = faults.find((found) => found !== undefined);
    if (keys.length > 0) this.#noteStore(fault);
  }

  /** Where the store was never reached: what was in force here last holds on, until the store says what is. */
  #standAsKept(key: string, entry: Entry): void {
    if (entry.held !== undefined || entry.isAdrift) return;
    const kept = this.#kept?.of(entry.file);
    if (kept === undefined) {
      entry.isAdrift = true;
      this.#log.error(
        { experiment: key },
        'the state store is away, and where the experiment stood is not known here: its file’s own weights are in force',
      );
      return;
    }
    entry.held = kept.standing;
    entry.history.add(kept.changes);
    this.#assemble();
    this.#log.warn(
      { experiment: key, version: kept.standing.version },
      'the state store is away: the experiment stands as it stood last on this machine',
    );
  }

  #noteStore(fault: Error | undefined): void {
    const isAway = fault !== undefined;
    if (isAway !== this.#isStoreAway) {
      if (isAway)
        this.#log.error(
          { fault: fault.message },
          'the state store is away; the weights in force stay as they are',
        );
      else this.#log.info('the state store is back, and the weights are in step with it');
    }
    this.#isStoreAway = isAway;
  }

  #enter(key: string, file: WrittenExperiment): void {
    const unwatch = this.#store.watchDocument(standingKey(key), () => void this.#syncAll([key]));
    this.#entries.set(key, {
      file,
      held: undefined,
      history: new ChangeHistory(this.#store, key),
      isUnsaved: false,
      isOutdated: false,
      isAdrift: false,
      unwatch,
      turn: Promise.resolve(),
    });
  }

  /** An edited file starts from its own weights again, at once. */
  #edit(entry: Entry, file: WrittenExperiment): void {
    entry.file = file;
    if (entry.held === undefined) return;
    entry.isUnsaved = true;
    entry.held = firstStanding(file, entry.held, new Date(this.#nowMs()).toISOString());
  }

  /** A store that knows nothing, or only what another replica brought back, has lost what this machine still knows. */
  #lostHere({ file, history }: Entry, stored: Standing | undefined): Standing | undefined {
    const kept = this.#kept?.of(file);
    if (kept === undefined) return undefined;
    if (stored !== undefined && !(stored.isRecovered && stored.version < kept.standing.version))
      return undefined;
    history.add(kept.changes);
    return kept.standing;
  }

  #hold(entry: Entry, after: Standing, records: readonly AuditRecord[]): void {
    const { held: before, file, history } = entry;
    // An edit may have come while the store was being asked.
    if (after.fileDigest !== file.digest) return;
    entry.held = after;
    entry.isUnsaved = false;
    entry.isOutdated = false;
    history.add(records);
    this.#kept?.keep({ standing: after, changes: history.known });
    if (before?.id !== after.id || before.version !== after.version) this.#assemble();
    const change = { experiment: file.experiment, before, after, records };
    for (const listener of this.#listeners) listener(change);
  }

  /** Takes up which requests were taken; where the experiment stands is the same. */
  #remember(entry: Entry, standing: Standing): void {
    if (standing.fileDigest !== entry.file.digest) return;
    entry.held = standing;
    this.#kept?.keep({ standing, changes: entry.history.known });
  }

  #assemble(): void {
    const heldOf = ({ key }: Experiment): Standing | undefined => this.#entries.get(key)?.held;
    this.#set = experimentsInForce(this.#files.current, heldOf, this.#overlay);
  }

  #inTurn<Value>(entry: Entry, work: () => Promise<Value>): Promise<Value> {
    const turn = entry.turn.then(work, work);
    entry.turn = turn.catch(() => undefined);
    return turn;
  }
}

/** What comes of a request whose name was taken before; undefined: it wasn't, as far as is known. */
function takenBefore({ key, ...asked }: NamedRequest, standing: Standing): Changed | undefined {
  const taken = standing.requests.find((known) => known.key === key);
  if (taken === undefined) return undefined;
  const { action = asked.action, digest = asked.digest } = taken;
  return digest === asked.digest ? { kind: 'same', standing } : { kind: 'key_reused', action };
}

/** Requests are only ever added behind the others. */
function isSameRequests(a: Standing, b: Standing | undefined): boolean {
  return a.requests.at(-1)?.key === b?.requests.at(-1)?.key;
}
