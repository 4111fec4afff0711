import type { WrittenExperiment } from '../../../experiments/standing/reconcile.ts';
import { firstStanding } from '../../../experiments/standing/reconcile.ts';
import { nextStanding } from '../../../experiments/standing/standing.ts';
import type { Cause, Split, Standing } from '../../../experiments/standing/standing.ts';
import { sampleExperiment } from '../sample-experiment.ts';

export const AT = '2026-11-25T12:00:00.000Z';

export const BY_HAND: Cause = {
  action: 'promote',
  reason: 'it is better',
  actor: { kind: 'key', id: 'ops', name: 'on call', address: '127.0.0.1' },
  at: AT,
};

export function written(changes: Readonly<Record<string, unknown>> = {}): WrittenExperiment {
  return { experiment: sampleExperiment(changes), definition: '', digest: JSON.stringify(changes) };
}

let lastId = 0;

/** The standing of a file after so many changes by hand, each with the same split. */
export function standingOf(file: WrittenExperiment, split: Partial<Split> = {}, changes = 1): Standing {
  let standing = firstStanding(file, undefined, AT);
  for (let count = 0; count < changes; count++) {
    const next = { ...standing.split, ...split };
    standing = nextStanding(standing, { split: next, cause: BY_HAND, id: `change ${++lastId}` });
  }
  return standing;
}
