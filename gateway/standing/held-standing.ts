import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { auditRecord } from '../../experiments/standing/audit-record.ts';
import type { AuditRecord } from '../../experiments/standing/audit-record.ts';
import type { Outcome } from '../../experiments/standing/command.ts';
import type { Situation } from '../../experiments/standing/in-force.ts';
import { firstStanding, reconcile } from '../../experiments/standing/reconcile.ts';
import type { Known, WrittenExperiment } from '../../experiments/standing/reconcile.ts';
import { nextStanding, readStanding, standingKey, withRequest } from '../../experiments/standing/standing.ts';
import type { Standing } from '../../experiments/standing/standing.ts';
import { StoreUnavailable } from '../../experiments/stores/state-store.ts';
import type { AuditLog, Documents } from '../../experiments/stores/state-store.ts';
import { ChangeHistory } from './change-history.ts';
import type { KeptStandings } from './kept-standings.ts';
import { takenBefore } from './standing-change.ts';
import type { ChangeRequest, Changed, StandingChange } from './standing-change.ts';

/** How often a change is tried when others change the same experiment at the same moment. */
const MAX_TRIES = 20;

export interface HeldStandingOptions {
  readonly store: AuditLog & Documents;
  /** What this machine knows where the store doesn't; undefined: nothing. */
  readonly kept: KeptStandings | undefined;
  readonly log: Logger;
  /** Milliseconds since 1970, the same on all replicas. */
  readonly nowMs: () => number;
  /** The store tells that it may have something else. */
  readonly onStored: () => void;
  /** What the store has is in force here; it may be what was in force before. */
  readonly onHeld: (change: StandingChange) => void;
}

/**
 * Where one experiment stands, on this replica. A change is in the store before it takes effect, except what an edit of the file
 * says itself. What is done with it is done in turn.
 */
export class HeldStanding {
  readonly #key: string;
  readonly #options: HeldStandingOptions;
  /** What led there. */
  readonly #history: ChangeHistory;
  readonly #unwatch: () => void;
  #file: WrittenExperiment;
  /** What is in force here; undefined where the store was never asked. */
  #held: Standing | undefined;
  #isUnsaved = false;
  #isOutdated = false;
  /** Whether it was told that nobody knows where it stands. */
  #isAdrift = false;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(file: WrittenExperiment, options: HeldStandingOptions) {
    this.#key = file.experiment.key;
    this.#file = file;
    this.#options = options;
    this.#history = new ChangeHistory(options.store, this.#key);
    this.#unwatch = options.store.watchDocument(standingKey(this.#key), options.onStored);
  }

  /** Undefined where the store was never asked. */
  get standing(): Standing | undefined {
    return this.#held;
  }

  /** The experiment's file beside where it stands; undefined where the store was never asked. */
  get situation(): Situation | undefined {
    return this.#held && { experiment: this.#file.experiment, standing: this.#held };
  }

  /** Whether the store's standing is of another file's text, which another replica was given. */
  get isOutdated(): boolean {
    return this.#isOutdated;
  }

  /**
   * Takes up what the file says now: an edited one starts from its own weights again, at once.
   *
   * @returns whether it was edited, which the store has to be told
   */
  takeFile(file: WrittenExperiment): boolean {
    const isEdited = file.digest !== this.#file.digest;
    this.#file = file;
    if (isEdited && this.#held !== undefined) {
      this.#isUnsaved = true;
      this.#held = firstStanding(file, this.#held, this.#now());
    }
    return isEdited;
  }

  /**
   * Changes where it stands, from what the store says of it now.
   *
   * @param decide called again where somebody else was first; pure
   * @throws StoreUnavailable: it may or may not be in the store; what is in force here stays until that is known
   * @throws LeaseLost
   */
  change(decide: (situation: Situation) => Outcome, request: ChangeRequest): Promise<Changed> {
    return this.#inTurn(async () => {
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        const changed = await this.#tryChange(decide, request);
        if (changed !== undefined) return changed;
      }
      throw new StoreUnavailable(`experiment ${this.#key} changed at every try to change it`);
    });
  }

  /**
   * Brings it in step with the store.
   *
   * @throws StoreUnavailable
   */
  async sync(): Promise<void> {
    await this.#inTurn(() => this.#sync());
  }

  /**
   * Where the store was never reached: what was in force here last holds on, until the store says what is.
   *
   * @returns whether something else is in force now
   */
  standAsKept(): boolean {
    if (this.#held !== undefined || this.#isAdrift) return false;
    const { log } = this.#options;
    const kept = this.#options.kept?.of(this.#file);
    if (kept === undefined) {
      this.#isAdrift = true;
      log.error(
        { experiment: this.#key },
        'the state store is away, and where the experiment stood is not known here: its file’s own weights are in force',
      );
      return false;
    }
    this.#held = kept.standing;
    this.#history.add(kept.changes);
    log.warn(
      { experiment: this.#key, version: kept.standing.version },
      'the state store is away: the experiment stands as it stood last on this machine',
    );
    return true;
  }

  /** The store is not listened to any more. */
  close(): void {
    this.#unwatch();
  }

  /** @returns undefined where somebody else was first */
  async #tryChange(
    decide: (situation: Situation) => Outcome,
    { cause, fence, request, isDryRun = false }: ChangeRequest,
  ): Promise<Changed | undefined> {
    const documentVersion = await this.#sync();
    const { situation } = this;
    if (documentVersion === undefined || situation === undefined) return { kind: 'other_file' };
    const { experiment, standing: held } = situation;
    const taken = request && takenBefore(request, held);
    if (taken !== undefined) return taken;
    const outcome = decide(situation);
    if (outcome.kind === 'refused') return outcome;
    const fenced = fence !== undefined && { fence };
    const { store } = this.#options;
    if (outcome.kind === 'same') {
      if (request === undefined || isDryRun) return { kind: 'same', standing: held };
      // Sent again when somebody has changed it since, it must not change it back.
      const standing = withRequest(held, request);
      const written = await store.writeDocument(standingKey(this.#key), standing, documentVersion, {
        ...fenced,
      });
      if (written === undefined) return undefined;
      this.#remember(standing);
      return { kind: 'same', standing };
    }
    const after = nextStanding(held, { split: outcome.split, cause, id: randomUUID(), request });
    if (isDryRun) return { kind: 'changed', before: held, after };
    const record = auditRecord(experiment.model, held, after);
    const options = { audit: [record], ...fenced };
    const written = await store.writeDocument(standingKey(this.#key), after, documentVersion, options);
    if (written === undefined) return undefined;
    this.#hold(after, [record]);
    return { kind: 'changed', before: held, after };
  }

  /** @returns the version of the store's document; undefined where that is of another file */
  async #sync(): Promise<number | undefined> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const document = await this.#options.store.readDocument(standingKey(this.#key));
      const stored = document && this.#read(document.value);
      const held = this.#held ?? this.#lostHere(stored);
      const known: Known = { file: this.#file, held, isUnsaved: this.#isUnsaved };
      const step = reconcile(known, stored, randomUUID(), this.#now());
      const version = document?.version ?? 0;
      switch (step.kind) {
        case 'keep':
          return (await this.#keep(stored, known)) ? version : undefined;
        case 'adopt': {
          const { standing } = step;
          const { model } = known.file.experiment;
          this.#hold(standing, await this.#history.leadingTo(standing, held, model));
          return version;
        }
        case 'write': {
          const before = stored ?? (known.isUnsaved ? undefined : held);
          const written = await this.#write(step.standing, before, version);
          if (written !== undefined) return written;
        }
      }
    }
    throw new StoreUnavailable(`experiment ${this.#key} changed at every try to read it`);
  }

  #read(document: unknown): Standing | undefined {
    const stored = readStanding(document);
    if (stored === undefined)
      this.#options.log.error(
        { experiment: this.#key },
        'the state store has no standing under that name; it is replaced',
      );
    return stored;
  }

  /** @returns whether what is held is what the store has */
  async #keep(stored: Standing | undefined, { held, isUnsaved }: Known): Promise<boolean> {
    this.#isOutdated = stored?.id !== held?.id;
    if (this.#isOutdated) return false;
    // Another replica has stored the edit that both have read.
    if (isUnsaved && stored !== undefined) this.#hold(stored, await this.#history.of(stored.version));
    else if (stored !== undefined && !isSameRequests(stored, held)) this.#remember(stored);
    return true;
  }

  /** @returns the version of the store's document; undefined where somebody else was first */
  async #write(
    standing: Standing,
    before: Standing | undefined,
    documentVersion: number,
  ): Promise<number | undefined> {
    const { store, log } = this.#options;
    const record = auditRecord(this.#file.experiment.model, before, standing);
    const audit = [...(await this.#history.lost()), record];
    const written = await store.writeDocument(standingKey(this.#key), standing, documentVersion, { audit });
    if (written === undefined) return undefined;
    this.#hold(standing, before?.version === standing.version ? [] : [record]);
    if (standing.cause.action === 'recover')
      log.error(
        { experiment: this.#key, version: standing.version },
        'the state store had lost where the experiment stands; it has it again, and what was counted is gone',
      );
    return written;
  }

  /** A store that knows nothing, or only what another replica brought back, has lost what this machine still knows. */
  #lostHere(stored: Standing | undefined): Standing | undefined {
    const kept = this.#options.kept?.of(this.#file);
    if (kept === undefined) return undefined;
    if (stored !== undefined && !(stored.isRecovered && stored.version < kept.standing.version))
      return undefined;
    this.#history.add(kept.changes);
    return kept.standing;
  }

  #hold(after: Standing, records: readonly AuditRecord[]): void {
    const before = this.#held;
    // An edit may have come while the store was being asked.
    if (after.fileDigest !== this.#file.digest) return;
    this.#held = after;
    this.#isUnsaved = false;
    this.#isOutdated = false;
    this.#history.add(records);
    this.#options.kept?.keep({ standing: after, changes: this.#history.known });
    this.#options.onHeld({ experiment: this.#file.experiment, before, after, records });
  }

  /** Takes up which requests were taken; where the experiment stands is the same. */
  #remember(standing: Standing): void {
    if (standing.fileDigest !== this.#file.digest) return;
    this.#held = standing;
    this.#options.kept?.keep({ standing, changes: this.#history.known });
  }

  #inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const turn = this.#turn.then(work, work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  #now(): string {
    return new Date(this.#options.nowMs()).toISOString();
  }
}

/** Requests are only ever added behind the others. */
function isSameRequests(a: Standing, b: Standing | undefined): boolean {
  return a.requests.at(-1)?.key === b?.requests.at(-1)?.key;
}
