import { isAuditRecord } from '../../experiments/standing/audit-record.ts';
import type { AuditRecord } from '../../experiments/standing/audit-record.ts';
import type { Actor } from '../../experiments/standing/standing.ts';
import type { ShownKey } from '../trust/key-desk.ts';

/** What every entry of the audit log says, whatever was changed. */
interface Entered<Kind extends string, Action extends string> {
  readonly kind: Kind;
  readonly action: Action;
  /** Names the change; no other has the same. */
  readonly id: string;
  /** ISO 8601. */
  readonly at: string;
  readonly actor: Actor;
}

/** A key as the audit log has it: never what it opens with, nor its hash. */
export type AuditedKey = Omit<ShownKey, 'expired'>;

/** A key was made, given a successor, or revoked. */
export interface KeyChange extends Entered<'key', 'key.create' | 'key.rotate' | 'key.revoke'> {
  /** The id of the key that was changed. */
  readonly key: string;
  /** Null for one that is new. */
  readonly before: AuditedKey | null;
  /** Of one that was rotated: its successor. Null for one that was revoked. */
  readonly after: AuditedKey | null;
}

/** A version of a model as the audit log has it. */
export interface AuditedVersion {
  readonly version: number;
  /** As the repository's index says. */
  readonly state: string;
  /** Those that are to be; null where the version has none of its own, or isn't loaded. */
  readonly instances: number | null;
  /** The sha256 of its files, where it is they that were changed. */
  readonly digest?: string;
}

/** A model was loaded, unloaded, scaled or registered by a call, or a version's files were changed under its number. */
export interface ModelChange extends Entered<
  'model',
  'model.load' | 'model.unload' | 'model.scale' | 'model.register' | 'model.replace'
> {
  readonly model: string;
  readonly before: { readonly versions: readonly AuditedVersion[] };
  readonly after: { readonly versions: readonly AuditedVersion[] };
  /** SHA-256 of the configuration that came with a load. */
  readonly configDigest?: string;
  /** What was registered: its path in the repository. */
  readonly url?: string;
  /** Why it failed; then something changed all the same. */
  readonly fault?: string;
}

/** How talkative the gateway's log is was changed by a call. */
export interface SettingsChange extends Entered<'settings', 'log.set'> {
  readonly before: { readonly level: string };
  readonly after: { readonly level: string };
}

/** An entry of the audit log; a change of an experiment is an {@link AuditRecord}. */
export type AuditEvent = AuditRecord | KeyChange | ModelChange | SettingsChange;

/** An entry that is not written yet. */
export type NewEvent =
  Omit<KeyChange, 'id' | 'at'> | Omit<ModelChange, 'id' | 'at'> | Omit<SettingsChange, 'id' | 'at'>;

const KINDS: ReadonlySet<unknown> = new Set(['key', 'model', 'settings']);

/** @returns undefined where an entry of the log is of no form that this release writes */
export function readAuditEvent(entry: unknown): AuditEvent | undefined {
  // Changes of experiments had no kind before there were others.
  if (isAuditRecord(entry)) return { ...entry, kind: 'experiment' };
  return isOther(entry) ? entry : undefined;
}

function isOther(entry: unknown): entry is Exclude<AuditEvent, AuditRecord> {
  return (
    typeof entry === 'object' &&
    entry !== null &&
    'kind' in entry &&
    KINDS.has(entry.kind) &&
    'action' in entry &&
    typeof entry.action === 'string' &&
    'actor' in entry &&
    typeof entry.actor === 'object' &&
    'after' in entry
  );
}

/** The models that a change concerns; undefined: all, or none. */
export function modelsOf(event: AuditEvent): readonly string[] | undefined {
  switch (event.kind) {
    case 'experiment':
    case 'model':
      return [event.model];
    case 'key':
      return (event.after ?? event.before)?.models ?? undefined;
    case 'settings':
      return undefined;
  }
}
