import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { isAuditRecord } from '../../experiments/standing/audit-record.ts';
import type { AuditEntry, AuditLog } from '../../experiments/stores/state-store.ts';

/** How far somebody has read the audit log. */
export interface AuditCursor {
  /** Of the last entry that was read; 0: none. */
  readonly sequence: number;
  /** The last entry's own name: an entry of the same number that has another one is of a log that began anew. */
  readonly id: string;
}

export const AT_THE_BEGINNING: AuditCursor = { sequence: 0, id: '' };

/** What comes after a cursor. */
export interface AuditRead {
  readonly entries: readonly AuditEntry[];
  /** Whether the store has lost the log since, and these are the first entries of a new one. */
  readonly isNewLog: boolean;
}

/** @throws StoreUnavailable */
export async function readAfter(log: AuditLog, cursor: AuditCursor, limit: number): Promise<AuditRead> {
  if (cursor.sequence === 0) return { entries: await log.readAudit(0, limit), isNewLog: false };
  const [last, ...entries] = await log.readAudit(cursor.sequence - 1, limit + 1);
  // A store that forgets old entries may have forgotten the one at the cursor.
  if (last !== undefined && last.sequence > cursor.sequence)
    return { entries: [last, ...entries], isNewLog: false };
  if (last !== undefined && idOf(last) === cursor.id) return { entries, isNewLog: false };
  return { entries: await log.readAudit(0, limit), isNewLog: true };
}

/** How far back a log is looked through for what was brought back into it. */
const MAX_READ = 1000;

/** For how long what was brought back counts as news. */
const NEWS_MS = 60_000;

/**
 * Where somebody begins who is not known to have read the log before: at its end. A store that has just lost everything has lost how far
 * somebody had read, too, so what was brought back and happened a moment ago comes after the cursor: it may be read twice, and is not missed.
 *
 * @param nowMs milliseconds since 1970
 */
export async function cursorToBeginWith(log: AuditLog, nowMs: number): Promise<AuditCursor> {
  const length = await log.auditLength();
  const end = length === 0 ? [] : await log.readAudit(Math.max(0, length - MAX_READ), MAX_READ);
  const fresh = end.findIndex(
    ({ entry }) =>
      isAuditRecord(entry) &&
      (entry.restored === true || entry.action === 'recover') &&
      nowMs - Date.parse(entry.at) < NEWS_MS,
  );
  const last = fresh === -1 ? end.at(-1) : end[fresh - 1];
  return last === undefined ? AT_THE_BEGINNING : cursorOf(last);
}

export function cursorOf(entry: AuditEntry): AuditCursor {
  return { sequence: entry.sequence, id: idOf(entry) };
}

function idOf({ entry }: AuditEntry): string {
  if (typeof entry !== 'object' || entry === null || !('id' in entry)) return '';
  return typeof entry.id === 'string' ? entry.id : '';
}

const AuditCursorSchema = Type.Object({ sequence: Type.Integer({ minimum: 0 }), id: Type.String() });

/** A cursor as it was kept; the beginning where it is none. */
export function readCursor(value: unknown): AuditCursor {
  return Value.Check(AuditCursorSchema, value) ? value : AT_THE_BEGINNING;
}
