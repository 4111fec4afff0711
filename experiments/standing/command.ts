import { isSameSplit } from './standing.ts';
import type { Split } from './standing.ts';
import { wishedSplit } from './in-force.ts';
import type { Situation } from './in-force.ts';

/** What a person asks of an experiment. */
export type Command =
  | {
      readonly action: 'promote';
      /** To the rollout's end, not its next step. */
      readonly full: boolean;
      /** Without a rollout, whom to give everything; undefined: the only variant that isn't the control. */
      readonly variant: string | undefined;
    }
  | { readonly action: 'pause' | 'resume' | 'rollback' };

/** Who gave a command, and why, in their own words. */
export interface Said {
  readonly by: string;
  /** Empty: they gave no reason. */
  readonly reason: string;
}

/** What comes of a command, or of anything else that may change where an experiment stands: a value, never thrown. */
export type Outcome =
  | { readonly kind: 'change'; readonly split: Split }
  /** It stands there already. */
  | { readonly kind: 'same' }
  | {
      readonly kind: 'refused';
      /** `unknown_variant`: the command names one that isn't there; `not_possible`: not as the experiment stands. */
      readonly fault: 'unknown_variant' | 'not_possible';
      /** What was wrong, and what would be right. */
      readonly message: string;
    };

/**
 * What a rollout makes of a command. Pure; its own state is in `situation.standing.split.rollout`.
 *
 * @returns undefined where the experiment has no rollout, or leaves the command to what holds without one
 */
export type RolloutCommands = (
  command: Command,
  situation: Situation,
  nowMs: number,
  said: Said,
) => Outcome | undefined;

/** What holds without a rollout. */
export const NO_ROLLOUT: RolloutCommands = () => undefined;

/**
 * Carries out a command: as the rollout says, and without one as the contract does.
 *
 * `rollback` and `promote` complete the experiment rather than only move its weights, so that they reach the units that a match
 * rule, `forced` or an earlier sticky assignment would send elsewhere.
 */
export function carryOut(
  command: Command,
  situation: Situation,
  nowMs: number,
  rollout: RolloutCommands = NO_ROLLOUT,
  said: Said = { by: '', reason: '' },
): Outcome {
  const asked = rollout(command, situation, nowMs, said) ?? withoutRollout(command, situation);
  const { split, isRecovered } = situation.standing;
  // What the store had lost holds until somebody says that it goes on, though nothing else changes.
  if (asked.kind === 'same' && command.action === 'resume' && isRecovered) return { kind: 'change', split };
  if (asked.kind !== 'change') return asked;
  return isSameSplit(asked.split, split) && !isRecovered ? { kind: 'same' } : asked;
}

function withoutRollout(command: Command, situation: Situation): Outcome {
  const { experiment, standing } = situation;
  const { split } = standing;
  switch (command.action) {
    case 'promote': {
      const names = experiment.variants.map(({ name }) => name);
      const others = names.filter((name) => name !== experiment.control.name);
      const [only] = others.length === 1 ? others : [];
      const variant = command.variant ?? only;
      if (variant === undefined) {
        const which = others.length === 0 ? 'there is only the control' : `it could be ${others.join(', ')}`;
        return refused(
          'unknown_variant',
          `which variant of ${experiment.key} is to be promoted isn't clear: ${which}; name it`,
        );
      }
      if (!names.includes(variant)) {
        return refused(
          'unknown_variant',
          `experiment ${experiment.key} has no variant '${variant.slice(0, 64)}'; its variants are ${names.join(', ')}`,
        );
      }
      return { kind: 'change', split: allTo(variant, situation) };
    }
    case 'rollback':
      return { kind: 'change', split: allTo(experiment.control.name, situation) };
    case 'pause':
      return split.status === 'completed'
        ? refused(
            'not_possible',
            `${experiment.key} is completed, and all get ${split.winner}; there is nothing to pause`,
          )
        : { kind: 'change', split: { ...split, status: 'paused' } };
    case 'resume':
      return resume(situation);
  }
}

/** What was paused goes on with its weights; what was ended by hand starts from its file's weights again. */
function resume({ experiment, standing: { split } }: Situation): Outcome {
  switch (split.status) {
    case 'draft':
    case 'running':
      return { kind: 'same' };
    case 'paused':
      return { kind: 'change', split: { ...split, status: 'running' } };
    case 'completed':
      return experiment.status === 'completed'
        ? refused(
            'not_possible',
            `the file of ${experiment.key} says that it is completed; write status: running, with a new phase, to open it again`,
          )
        : { kind: 'change', split: { ...wishedSplit(experiment), status: 'running' } };
  }
}

/** Everybody gets one variant, whatever rule names them another. */
export function allTo(variant: string, { experiment, standing }: Situation): Split {
  return {
    ...standing.split,
    status: 'completed',
    weights: Object.fromEntries(experiment.variants.map(({ name }) => [name, name === variant ? 100 : 0])),
    winner: variant,
  };
}

function refused(fault: 'unknown_variant' | 'not_possible', message: string): Outcome {
  return { kind: 'refused', fault, message };
}
