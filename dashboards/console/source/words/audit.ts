import type { Actor, AuditedState, AuditShape } from '../shapes.ts';

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

/** `v1 90, v2 10 → v1 100, v2 0, completed`. */
export function changeOf({ before, after }: Pick<AuditShape, 'before' | 'after'>): string {
  if (before === null) return splitOf(after);
  return `${splitOf(before)} → ${splitOf(after)}`;
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
};

export function actionWord(action: string): string {
  return ACTIONS[action] ?? action.replaceAll(/[._-]/g, ' ');
}
