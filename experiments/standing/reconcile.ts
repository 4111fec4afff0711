import type { Experiment } from '../definition.ts';
import { wishedSplit } from './in-force.ts';
import { isSameSplit } from './standing.ts';
import type { Cause, Standing } from './standing.ts';

/** An experiment's file as this replica has it. */
export interface WrittenExperiment {
  readonly experiment: Experiment;
  /** What is kept of its text. */
  readonly definition: string;
  /** SHA-256 of the file's text. */
  readonly digest: string;
}

/** What this replica knows of an experiment. */
export interface Known {
  readonly file: WrittenExperiment;
  /** What is in force here; undefined before the store was asked for the first time. */
  readonly held: Standing | undefined;
  /** Whether what is held is not in the store yet. */
  readonly isUnsaved: boolean;
}

/** What is to be done when the store has been read. */
export type Step =
  /** Nothing: what is held is what the store has, or the store has another file's, which another replica was given. */
  | { readonly kind: 'keep' }
  /** The store's is in force. */
  | { readonly kind: 'adopt'; readonly standing: Standing }
  /** To be written first; then it is in force. */
  | { readonly kind: 'write'; readonly standing: Standing };

/**
 * Brings together what the store has and what this replica knows. The highest version is right; what the store has lost is
 * brought back; a file that nobody has seen before starts from its own weights.
 *
 * Of replicas that bring back different versions the one that knows the highest has the last word. What was changed since holds, though:
 * it came after what was lost, and gets a version that nothing had before, as replicas of the same version assign alike.
 *
 * @param stored undefined: the store has none
 * @param newId a random name
 * @param at ISO 8601
 */
export function reconcile(
  { file, held, isUnsaved }: Known,
  stored: Standing | undefined,
  newId: string,
  at: string,
): Step {
  if (stored === undefined) {
    if (held === undefined) return { kind: 'write', standing: firstStanding(file, undefined, at) };
    return { kind: 'write', standing: isUnsaved ? held : recovered(held, newId, at) };
  }
  if (held !== undefined && !isUnsaved && stored.version <= held.version) {
    if (isOverruled(held, stored)) return { kind: 'write', standing: renumbered(stored, held, newId, at) };
    if (stored.version < held.version) return { kind: 'write', standing: recovered(held, newId, at) };
  }
  if (stored.fileDigest === file.digest)
    return stored.id === held?.id ? { kind: 'keep' } : { kind: 'adopt', standing: stored };
  // The store has another file's. A file that came here since is the newer one, and so is one that this replica began with.
  if (held !== undefined && !isUnsaved) return { kind: 'keep' };
  const first = firstStanding(file, stored, at);
  return { kind: 'write', standing: held !== undefined && held.version > first.version ? held : first };
}

/**
 * Where a file begins: at its own weights. It has the same name whoever makes it, as replicas that read the same edit take it
 * up without asking each other.
 *
 * @param before what stood before it
 */
export function firstStanding(
  { experiment, definition, digest }: WrittenExperiment,
  before: Standing | undefined,
  at: string,
): Standing {
  const version = (before?.version ?? 0) + 1;
  const cause: Cause = {
    action: before === undefined ? 'create' : 'edit',
    reason: before === undefined ? 'its file is new' : 'its file was edited',
    actor: { kind: 'file', id: '', name: '', address: '' },
    at,
  };
  return {
    experiment: experiment.key,
    version,
    id: `file ${version} ${digest}`,
    phase: experiment.phase,
    fileDigest: digest,
    definition,
    split: wishedSplit(experiment),
    cause,
    isRecovered: false,
    requests: before?.requests ?? [],
  };
}

/** Whether the store has what was changed after it had lost what this replica holds. */
function isOverruled(held: Standing, stored: Standing): boolean {
  if (held.fileDigest !== stored.fileDigest || held.id === stored.id) return false;
  if (stored.version === held.version) return !isSameSplit(stored.split, held.split);
  return !stored.isRecovered && stored.cause.at > held.cause.at;
}

/** What the store has, under the version after the one that another change had here. */
function renumbered(stored: Standing, { version }: Standing, id: string, at: string): Standing {
  return {
    ...stored,
    id,
    version: version + 1,
    cause: {
      action: 'recover',
      reason: `the state store had lost version ${version} when version ${stored.version} was made; what was said since holds`,
      actor: { kind: 'gateway', id: '', name: '', address: '' },
      at,
    },
  };
}

/** The same weights under the same version, marked as what the store had lost. */
function recovered(held: Standing, id: string, at: string): Standing {
  return {
    ...held,
    id,
    isRecovered: true,
    cause: {
      action: 'recover',
      reason: 'the state store had lost it; this replica still had it in force',
      actor: { kind: 'gateway', id: '', name: '', address: '' },
      at,
    },
  };
}
