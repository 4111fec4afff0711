import type { Actor, AuditedKey, AuditedState, AuditedVersion, AuditShape } from '../shapes.ts';

/** Who it was, as far as it is known. */
export function whoIs({ kind, id, name, address }: Actor): string {
  const from = address === '' ? '' : ` from ${address}`;
  switch (kind) {
    case 'key':
      return `${name === '' ? `key ${id}` : `${name} (key ${id})`}${from}`;
    case 'token':
      return `${id}${from}`;
    case 'anybody':
      return `somebody${from}`;
    case 'file':
      return 'its file';
    case 'rollout':
      return 'the rollout';
    default:
      return 'the gateway';
  }
}

/** What was changed, where it isn't an experiment. */
export function subjectOf(entry: AuditShape): string {
  switch (entry.kind) {
    case 'experiment':
      return entry.experiment;
    case 'key': {
      const name = (entry.after ?? entry.before)?.name ?? '';
      return `key ${entry.key}${name === '' ? '' : ` (${name})`}`;
    }
    case 'model':
      return `model ${entry.model}`;
    case 'settings':
      return 'the log';
    default:
      return '';
  }
}

/** `v1 90, v2 10 → v1 100, v2 0, completed`. */
export function changeOf(entry: AuditShape): string {
  switch (entry.kind) {
    case 'experiment':
      return entry.before === null
        ? splitOf(entry.after)
        : `${splitOf(entry.before)} → ${splitOf(entry.after)}`;
    case 'key':
      return grantOf(entry.before, entry.after);
    case 'model': {
      const failed = entry.fault === undefined ? '' : `; it failed: ${entry.fault}`;
      return `${versionsOf(entry.before.versions)} → ${versionsOf(entry.after.versions)}${failed}`;
    }
    case 'settings':
      return `level ${entry.before.level} → ${entry.after.level}`;
    default:
      return 'of a form that is not shown here';
  }
}

function grantOf(before: AuditedKey | null, after: AuditedKey | null): string {
  if (after === null) return 'it opens nothing any more';
  const { id, scopes, models, expires } = after;
  const successor = before === null ? '' : `${id} in its place: `;
  const end = expires === null ? 'for good' : `until ${expires}`;
  return `${successor}${scopes.join(', ')}, of ${models === null ? 'all models' : models.join(', ')}, ${end}`;
}

function versionsOf(versions: readonly AuditedVersion[]): string {
  const told = versions.map(({ version, state, instances, digest }) => {
    const files = digest === undefined ? '' : `, files ${digest.slice(0, 12)}`;
    return `version ${version} ${state}${instances === null ? '' : `, instances ${instances}`}${files}`;
  });
  return told.join('; ') || 'no version';
}

function splitOf({ status, weights, winner }: AuditedState): string {
  if (status === 'completed') return `all ${winner}`;
  const split = Object.entries(weights)
    .map(([name, weight]) => `${name} ${weight}`)
    .join(', ');
  return status === 'running' ? split : `${split} (${status})`;
}

const ACTIONS: Readonly<Record<string, string>> = {
  create: 'began',
  edit: 'edited',
  recover: 'recovered',
  promote: 'promoted',
  pause: 'paused',
  resume: 'resumed',
  rollback: 'rolled back',
  'key.create': 'made',
  'key.rotate': 'rotated',
  'key.revoke': 'revoked',
  'model.load': 'loaded',
  'model.unload': 'unloaded',
  'model.scale': 'scaled',
  'model.register': 'registered',
  'model.replace': 'replaced',
  'log.set': 'set',
};

export function actionWord(action: string): string {
  return ACTIONS[action] ?? action.replaceAll(/[._-]/g, ' ');
}
