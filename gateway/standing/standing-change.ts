import type { Experiment } from '../../experiments/definition.ts';
import type { AuditRecord } from '../../experiments/standing/audit-record.ts';
import type { Outcome } from '../../experiments/standing/command.ts';
import type { Cause, NamedRequest, Standing } from '../../experiments/standing/standing.ts';
import type { Fence } from '../../experiments/stores/state-store.ts';

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

/** What comes of a request whose name was taken before; undefined: it wasn't, as far as is known. */
export function takenBefore({ key, ...asked }: NamedRequest, standing: Standing): Changed | undefined {
  const taken = standing.requests.find((known) => known.key === key);
  if (taken === undefined) return undefined;
  const { action = asked.action, digest = asked.digest } = taken;
  return digest === asked.digest ? { kind: 'same', standing } : { kind: 'key_reused', action };
}
