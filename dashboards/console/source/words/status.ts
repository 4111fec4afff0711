import type { ExperimentShape, RolloutShape, Status } from '../shapes.ts';
import type { Tone } from './verdict.ts';

/** In a word how an experiment stands. */
export interface Standing {
  readonly word: string;
  readonly sign: string;
  readonly tone: Tone;
}

const STATUS: Readonly<Record<Status, Standing>> = {
  running: { word: 'running', sign: '●', tone: 'good' },
  paused: { word: 'paused', sign: '❙❙', tone: 'open' },
  completed: { word: 'completed', sign: '■', tone: 'still' },
};

const ROLLOUT: Readonly<Record<RolloutShape['state']['kind'], Standing>> = {
  pending: { word: 'pending', sign: '◌', tone: 'open' },
  progressing: { word: 'rolling out', sign: '●', tone: 'good' },
  paused: { word: 'paused', sign: '❙❙', tone: 'open' },
  waiting_for_approval: { word: 'waits for approval', sign: '❙❙', tone: 'open' },
  promoting: { word: 'rolled out', sign: '■', tone: 'still' },
  succeeded: { word: 'rolled out', sign: '■', tone: 'still' },
  rolling_back: { word: 'rolled back', sign: '▼', tone: 'bad' },
  rolled_back: { word: 'rolled back', sign: '▼', tone: 'bad' },
  aborted: { word: 'aborted', sign: '▼', tone: 'bad' },
};

export function standingOf({ status, rollout }: Pick<ExperimentShape, 'status' | 'rollout'>): Standing {
  return rollout === undefined ? STATUS[status] : ROLLOUT[rollout.state.kind];
}
