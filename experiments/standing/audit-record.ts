import type { Cause, Split, Standing } from './standing.ts';

/** A state as the audit log has it. */
export interface AuditedState extends Split {
  readonly version: number;
}

/** A change of an experiment, as the audit log has it: who changed what, from which address, why, and what stood before and after. */
export interface AuditRecord extends Cause {
  readonly kind: 'experiment';
  /** The name of the change: the standing's. */
  readonly id: string;
  readonly experiment: string;
  readonly model: string;
  readonly phase: number;
  /** Null for an experiment that is new. */
  readonly before: AuditedState | null;
  readonly after: AuditedState;
  /** Set where the log had lost it and a replica brought it back: a copy of the log may have it from before. */
  readonly restored?: true;
}

export function auditRecord(model: string, before: Standing | undefined, after: Standing): AuditRecord {
  const { cause, id, experiment, phase } = after;
  return {
    kind: 'experiment',
    ...cause,
    id,
    experiment,
    model,
    phase,
    before: before === undefined ? null : audited(before),
    after: audited(after),
  };
}

function audited({ version, split }: Standing): AuditedState {
  return { version, ...split };
}

/** Whether an entry of the audit log is of this form; others may be in it too. Entries of before there were others have no `kind`. */
export function isAuditRecord(entry: unknown): entry is AuditRecord {
  return (
    typeof entry === 'object' &&
    entry !== null &&
    'action' in entry &&
    typeof entry.action === 'string' &&
    (!('kind' in entry) || entry.kind === 'experiment') &&
    'experiment' in entry &&
    typeof entry.experiment === 'string' &&
    'actor' in entry &&
    'after' in entry
  );
}
