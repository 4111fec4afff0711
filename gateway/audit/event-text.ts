import type { AuditRecord } from '../../experiments/standing/audit-record.ts';
import type { AuditEvent, AuditedKey, AuditedVersion } from './audit-event.ts';

/** Changes of anything but an experiment. */
export type OtherEvent = Exclude<AuditEvent, AuditRecord>;

/** What was changed, as `model digits`. */
export function subjectOf(event: OtherEvent): string {
  switch (event.kind) {
    case 'key': {
      const name = (event.after ?? event.before)?.name ?? '';
      return `key ${event.key}${name === '' ? '' : ` (${name})`}`;
    }
    case 'model':
      return `model ${event.model}`;
    case 'settings':
      return 'the log';
  }
}

/** What stood before and after, in one line. */
export function changeText(event: OtherEvent): string {
  switch (event.kind) {
    case 'key':
      return keyText(event.before, event.after);
    case 'model': {
      const { before, after, fault } = event;
      const failed = fault === undefined ? '' : `; it failed: ${fault}`;
      return `${versionsText(before.versions)} → ${versionsText(after.versions)}${failed}`;
    }
    case 'settings':
      return `level ${event.before.level} → ${event.after.level}`;
  }
}

function keyText(before: AuditedKey | null, after: AuditedKey | null): string {
  if (after === null) return 'it opens nothing any more';
  const { id, scopes, models, expires } = after;
  const successor = before === null ? '' : `${id} in its place: `;
  const end = expires === null ? 'for good' : `until ${expires}`;
  return `${successor}${scopes.join(', ')}, of ${models === null ? 'all models' : models.join(', ')}, ${end}`;
}

function versionsText(versions: readonly AuditedVersion[]): string {
  const told = versions.map(({ version, state, instances, digest }) => {
    const files = digest === undefined ? '' : `, files ${digest.slice(0, 12)}`;
    return `version ${version} ${state}${instances === null ? '' : `, instances ${instances}`}${files}`;
  });
  return told.join('; ') || 'no version';
}
