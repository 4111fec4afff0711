import { explain, lastingDoubt } from '../judgement.ts';
import type { Judgement } from '../judgement.ts';
import type { Progress } from '../state.ts';
import { arrive } from './arrive.ts';
import { causeOf } from './cause.ts';
import type { Transition } from './event.ts';
import type { StateAtStep, Turn } from './moves.ts';

/** An analysis at an analysis step, of which nothing rolls back. */
export function judged(at: Progress, judgement: Judgement, turn: Turn<unknown>): Transition | undefined {
  const { plan } = turn;
  const held = heldByDoubt(at, judgement);
  if (held !== undefined) return held;
  switch (judgement.outcome) {
    case 'fail':
      return countedOn(at, { failures: at.failures + failuresOf(judgement) }, explain(judgement));
    case 'unhealthy':
      return undefined;
    case 'no_data':
      return plan.onNoData === 'warn' ? passed(at, judgement, turn) : undefined;
    case 'inconclusive': {
      // What nothing depends on is not counted, or each look of a long wait would be a change.
      if (plan.inconclusiveLimit === undefined) return undefined;
      const inconclusive = at.inconclusive + 1;
      if (inconclusive <= plan.inconclusiveLimit) return countedOn(at, { inconclusive }, explain(judgement));
      const message = `${inconclusive} analyses in a row were inconclusive: ${explain(judgement)}`;
      return {
        state: { kind: 'paused', at: { ...at, inconclusive }, hold: { by: 'inconclusive' } },
        cause: causeOf('inconclusive', message),
      };
    }
    case 'pass':
      return passed(at, judgement, turn);
  }
}

/** What can't be believed any more, however long it waits, is a person's to judge: no gate is passed on it, nor by time alone. */
export function heldByDoubt(at: Progress, judgement: Judgement): Transition | undefined {
  const doubt = lastingDoubt(judgement);
  if (doubt === undefined) return undefined;
  const failures = at.failures + failuresOf(judgement);
  return {
    state: { kind: 'paused', at: { ...at, failures }, hold: { by: 'health' } },
    cause: causeOf('health', doubt.message),
  };
}

/** An analysis at a step that waits for something else: checks that failed and are put up with count there too. */
export function overheard(
  state: Exclude<StateAtStep, { readonly kind: 'progressing' }>,
  judgement: Judgement,
): Transition | undefined {
  const failed = failuresOf(judgement);
  if (failed === 0) return undefined;
  return {
    state: { ...state, at: { ...state.at, failures: state.at.failures + failed } },
    cause: causeOf('analysis', explain(judgement)),
  };
}

function passed(at: Progress, judgement: Judgement, turn: Turn<unknown>): Transition | undefined {
  const step = turn.plan.steps[at.step];
  const passes = at.passes + 1;
  const wanted = step?.kind === 'analysis' ? step.count : 1;
  if (passes < wanted) {
    const message = `${passes} of ${wanted} analyses passed: ${explain(judgement)}`;
    return countedOn(at, { passes, inconclusive: 0 }, message);
  }
  const how = judgement.outcome === 'pass' ? 'passed' : 'has no data, which onNoData: warn lets pass';
  const cause = causeOf(
    'analysis_passed',
    `the analysis of step ${at.step + 1} ${how}: ${explain(judgement)}`,
  );
  return arrive(at.step + 1, { ...turn, cause });
}

/** It stays at its step, with another count. */
function countedOn(at: Progress, counts: Partial<Progress>, message: string): Transition {
  return { state: { kind: 'progressing', at: { ...at, ...counts } }, cause: causeOf('analysis', message) };
}

function failuresOf({ findings }: Judgement): number {
  return findings.filter(({ outcome }) => outcome === 'fail').length;
}
