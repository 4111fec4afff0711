import { Type } from 'typebox';
import { Value } from 'typebox/value';
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

/** The cursor at the log's end. */
export async function cursorAtEnd(log: AuditLog): Promise<AuditCursor> {
  const length = await log.auditLength();
  const [last] = length === 0 ? [] : await log.readAudit(length - 1, 1);
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
