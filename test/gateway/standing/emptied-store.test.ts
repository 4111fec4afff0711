import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { assembleExperiments } from '../../../experiments/experiment-set.ts';
import { auditRecord } from '../../../experiments/standing/audit-record.ts';
import type { Command } from '../../../experiments/standing/command.ts';
import { carryOut } from '../../../experiments/standing/command.ts';
import { MemoryStore } from '../../../experiments/stores/memory/memory-store.ts';
import type { AuditLog, Documents } from '../../../experiments/stores/state-store.ts';
import { StoreUnavailable } from '../../../experiments/stores/state-store.ts';
import { AuditFile } from '../../../gateway/audit/audit-file.ts';
import { AuditTrail } from '../../../gateway/audit/audit-trail.ts';
import { KeptStandings } from '../../../gateway/standing/kept-standings.ts';
import { SpoolPlace } from '../../../gateway/state/spool-place.ts';
import { StandingBook } from '../../../gateway/standing/standing-book.ts';
import { BY_HAND, written } from '../../experiments/standing/samples.ts';
import { expectWhole } from '../../chaos/whole-history.ts';
import type { AuditLine } from '../../chaos/replica.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import type { TemporaryFolder } from '../../models/temporary-folder.ts';

const LOG = pino({ level: 'silent' });
const FILE = written();
const KEY = FILE.experiment.key;

/** What replicas share, until it has lost everything. */
let shared: MemoryStore;
let nowMs: number;

/** A replica's way to the store: nothing is told by itself, so that a replica knows what it has asked for. */
class Link implements AuditLog, Documents {
  isCut = false;

  get #store(): MemoryStore {
    if (this.isCut) throw new StoreUnavailable('it is cut off');
    return shared;
  }

  readDocument = async (key: string) => this.#store.readDocument(key);
  writeDocument = async (...write: Parameters<Documents['writeDocument']>) =>
    this.#store.writeDocument(...write);
  watchDocument = () => () => undefined;
  appendAudit = async (entry: unknown) => this.#store.appendAudit(entry);
  readAudit = async (after: number, limit: number) => this.#store.readAudit(after, limit);
  auditLength = async () => this.#store.auditLength();
}

class Replica {
  readonly link: Link;
  readonly book: StandingBook;
  readonly #place: SpoolPlace;
  readonly #path: string;
  readonly #trail: AuditTrail;

  private constructor(link: Link, book: StandingBook, place: SpoolPlace, path: string) {
    this.link = link;
    this.book = book;
    this.#place = place;
    this.#path = path;
    this.#trail = new AuditTrail(link, new AuditFile(path), LOG);
    book.onChange(({ records }) => {
      for (const record of records) this.#trail.note(record);
    });
  }

  /** @param name of its own files, which an earlier process may have left */
  static async start(folder: TemporaryFolder, name: string): Promise<Replica> {
    const link = new Link();
    const place = new SpoolPlace(join(folder.path, name));
    await place.hold();
    const kept = await KeptStandings.open(place, LOG);
    const files = { written: [FILE], current: assembleExperiments([FILE.experiment]).set };
    const book = await StandingBook.open({ store: link, files, kept, log: LOG, nowMs: () => nowMs });
    const replica = new Replica(link, book, place, join(folder.path, `${name}.jsonl`));
    await replica.look();
    return replica;
  }

  get standing() {
    return this.book.situation(KEY)?.standing;
  }

  /** What a gateway does twice a second. */
  async look(): Promise<void> {
    await this.book.refresh();
    await this.#trail.catchUp();
  }

  async command(action: 'pause' | 'resume' | 'rollback', reason: string): Promise<void> {
    const command: Command = { action };
    const cause = { ...BY_HAND, action, reason, at: new Date((nowMs += 1000)).toISOString() };
    await this.book.change(KEY, (situation) => carryOut(command, situation, nowMs), { cause });
  }

  async history(): Promise<readonly AuditLine[]> {
    await this.#trail.catchUp();
    const lines = (await readFile(this.#path, 'utf8')).split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as AuditLine);
  }

  /** The process ends; its files are there. */
  async end(): Promise<void> {
    this.link.isCut = true;
    await this.book.close();
    await this.#trail.close();
    this.#place.release();
  }
}

const changesIn = (history: readonly AuditLine[]): readonly string[] =>
  history.filter(({ action }) => action !== 'recover').map(({ reason }) => reason);

describe('replicas whose store comes back empty', () => {
  let folder: TemporaryFolder;
  let ahead: Replica;
  let behind: Replica;
  beforeEach(async () => {
    shared = new MemoryStore();
    nowMs = Date.parse('2026-11-25T12:00:00Z');
    folder = await temporaryFolder({ README: 'the files of two replicas' });
    ahead = await Replica.start(folder, 'ahead');
    behind = await Replica.start(folder, 'behind');
    await ahead.command('pause', 'known to both');
    await behind.look();
    await behind.history();
    await ahead.history();
  });
  afterEach(async () => {
    await ahead.end();
    await behind.end();
    await folder[Symbol.asyncDispose]();
  });
  const lose = (): void => {
    nowMs += 1000;
    shared = new MemoryStore();
  };

  test.each(['ahead', 'behind'])(
    'agree on the last version, and have each change once in their files, whoever brings it back first: %s',
    async (first) => {
      for (const [action, reason] of [
        ['resume', 'missed by one'],
        ['rollback', 'missed by one, too'],
      ] as const)
        await ahead.command(action, reason);
      const lost = ahead.standing;
      lose();
      const order = first === 'ahead' ? [ahead, behind, ahead] : [behind, ahead, behind];
      for (const replica of order) await replica.look();
      for (const replica of [ahead, behind])
        expect(replica.standing).toMatchObject({
          version: lost?.version,
          split: lost?.split,
          isRecovered: true,
        });
      await behind.command('resume', 'it was only the store');
      await ahead.look();
      for (const replica of [ahead, behind]) {
        const history = await replica.history();
        expectWhole(history.filter(({ action }) => action !== 'recover'));
        expect(changesIn(history)).toEqual([
          'its file is new',
          'known to both',
          'missed by one',
          'missed by one, too',
          'it was only the store',
        ]);
      }
    },
  );

  test('tell who reads the store’s log what it had lost, marked as brought back', async () => {
    await ahead.command('resume', 'nobody copied it');
    lose();
    await behind.look();
    await ahead.look();
    const entries = (await shared.readAudit(0, 100)).map(({ entry }) => entry as AuditLine & object);
    expect(entries).toMatchObject([
      { reason: 'known to both', restored: true },
      { action: 'recover', after: { version: 2 } },
      // Who comes second brings all that it knew and nobody has brought.
      { reason: 'its file is new', restored: true },
      { reason: 'nobody copied it', restored: true },
      { action: 'recover', after: { version: 3 } },
    ]);
  });

  test('don’t undo what a person said meanwhile, though one of them knew of more', async () => {
    await ahead.command('resume', 'lost');
    await ahead.command('pause', 'lost, too');
    ahead.link.isCut = true;
    lose();
    await behind.look();
    await behind.command('rollback', 'said meanwhile');
    ahead.link.isCut = false;
    await ahead.look();
    await behind.look();
    for (const replica of [ahead, behind])
      expect(replica.standing).toMatchObject({
        version: 5,
        split: { status: 'completed', winner: 'v1' },
        isRecovered: false,
        cause: { action: 'recover' },
      });
    for (const replica of [ahead, behind])
      expect(changesIn(await replica.history()).toSorted()).toEqual(
        ['its file is new', 'known to both', 'lost', 'lost, too', 'said meanwhile'].toSorted(),
      );
  });

  test('never assign otherwise under one version: of two changes that had the same one, the later gets the next', async () => {
    await ahead.command('resume', 'lost');
    const { version = 0 } = ahead.standing ?? {};
    ahead.link.isCut = true;
    lose();
    await behind.look();
    await behind.command('rollback', 'said meanwhile');
    expect(behind.standing?.version).toBe(version);
    ahead.link.isCut = false;
    await ahead.look();
    await behind.look();
    for (const replica of [ahead, behind])
      expect(replica.standing).toMatchObject({ version: version + 1, split: { winner: 'v1' } });
  });

  test('have all back that was acknowledged, though all processes ended with the store', async () => {
    await ahead.command('rollback', 'acknowledged, and copied nowhere');
    const lost = ahead.standing;
    await ahead.end();
    await behind.end();
    lose();
    behind = await Replica.start(folder, 'behind');
    ahead = await Replica.start(folder, 'ahead');
    await behind.look();
    for (const replica of [ahead, behind]) {
      expect(replica.standing).toMatchObject({
        version: lost?.version,
        split: lost?.split,
        isRecovered: true,
      });
      expect(changesIn(await replica.history())).toEqual([
        'its file is new',
        'known to both',
        'acknowledged, and copied nowhere',
      ]);
    }
  });

  test('copy a change once that was in the file before it was in force here', async () => {
    await ahead.command('resume', 'copied first');
    await behind.history();
    await behind.look();
    const record = (await shared.readAudit(2, 1))[0]?.entry;
    expect(record).toMatchObject(auditRecordOf(behind));
    lose();
    await ahead.look();
    await behind.look();
    expect(changesIn(await behind.history())).toEqual(['its file is new', 'known to both', 'copied first']);
  });
});

function auditRecordOf({ standing }: Replica): object {
  if (standing === undefined) throw new Error('it stands nowhere');
  const { id, after } = auditRecord(FILE.experiment.model, undefined, standing);
  return { id, after };
}
