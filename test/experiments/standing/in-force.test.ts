import { describe, expect, test } from 'vitest';
import { decide } from '../../../experiments/decision.ts';
import type { Experiment } from '../../../experiments/definition.ts';
import { epochOf } from '../../../experiments/epoch.ts';
import { assembleExperiments } from '../../../experiments/experiment-set.ts';
import { MemoryStickyAssignments } from '../../../experiments/sticky-assignments.ts';
import { carryOut } from '../../../experiments/standing/command.ts';
import type { Command, RolloutCommands } from '../../../experiments/standing/command.ts';
import {
  StandingOverlay,
  applyStanding,
  experimentsInForce,
} from '../../../experiments/standing/in-force.ts';
import { sharesOf } from '../../../experiments/shares.ts';
import { sampleCaller } from '../sample-caller.ts';
import { sampleExperiment } from '../sample-experiment.ts';
import { nextStanding } from '../../../experiments/standing/standing.ts';
import { AT, BY_HAND, standingOf, written } from './samples.ts';

const FULL: Command = { action: 'promote', full: false, variant: undefined };
const ROLLBACK: Command = { action: 'rollback' };

function after(command: Command, changes: Readonly<Record<string, unknown>> = {}) {
  const file = written(changes);
  const standing = standingOf(file);
  const outcome = carryOut(command, { experiment: file.experiment, standing }, 0);
  if (outcome.kind !== 'change') return { outcome };
  const next = { ...standing, version: 3, split: outcome.split };
  return { outcome, file, standing: next, inForce: applyStanding(file.experiment, next) };
}

describe('what is in force', () => {
  test('has the standing’s weights and version, and their epoch, not the file’s', () => {
    const { experiment } = written();
    const inForce = applyStanding(experiment, standingOf(written(), { weights: { v1: 60, v2: 40 } }));
    expect(sharesOf(inForce)).toEqual([
      { variant: 'v1', share: 0.6 },
      { variant: 'v2', share: 0.4 },
    ]);
    expect(inForce.weightsVersion).toBe(2);
    const asWritten = sampleExperiment({
      variants: [
        { name: 'v1', version: 1, weight: 60 },
        { name: 'v2', version: 2, weight: 40 },
      ],
    });
    expect(epochOf(inForce)).toEqual(epochOf(asWritten));
    expect(epochOf(inForce).epoch).not.toBe(epochOf(experiment).epoch);
  });

  test('is the same object while nothing changes', () => {
    const [file, overlay] = [written(), new StandingOverlay()];
    const standing = standingOf(file);
    expect(overlay.apply(file.experiment, standing)).toBe(overlay.apply(file.experiment, standing));
  });

  test('an experiment that was ended by hand keeps its place beside one that its file ended', () => {
    const [a, b] = [written({ key: 'a' }), written({ key: 'b', status: 'completed' })];
    const { set, conflicts } = assembleExperiments([a.experiment, b.experiment]);
    expect(conflicts).toEqual([]);
    const ended = standingOf(a, { status: 'completed', winner: 'v2' });
    const standings = ({ key }: Experiment) => (key === 'a' ? ended : undefined);
    const inForce = experimentsInForce(set, standings, new StandingOverlay());
    expect(inForce.byModel.get('digits')?.candidates).toEqual([inForce.byKey.get('a')]);
    expect(inForce.byKey.get('a')).toMatchObject({ status: 'completed', winner: { name: 'v2' } });
    expect(inForce.byKey.get('b')).toBe(b.experiment);
  });
});

describe('a rollback', () => {
  test('gives all the control: units that had landed, that a rule sends elsewhere, and that are forced', () => {
    const changes = {
      sticky: true,
      variants: [
        { name: 'v1', version: 1, weight: 0 },
        { name: 'v2', version: 2, weight: 100 },
      ],
      forced: { eve: 'v2' },
      match: [{ headers: { 'x-beta': { exact: 'yes' } }, variant: 'v2' }],
    };
    const { experiment } = written(changes);
    const sticky = new MemoryStickyAssignments(() => undefined);
    const context = { sticky, nowMs: () => 0, randomUnit: () => 'somebody' };
    const callers = ['ada', 'eve'].flatMap((user) => [
      sampleCaller({ headers: { 'x-user-id': user } }),
      sampleCaller({ headers: { 'x-user-id': user, 'x-beta': 'yes' } }),
    ]);
    const variantsOf = (inForce: typeof experiment) =>
      callers.map((caller) => {
        const decision = decide(assembleExperiments([inForce]).set, 'digits', caller, context);
        return decision.kind === 'variant' ? decision.variant.name : decision.kind;
      });
    expect(variantsOf(experiment)).toEqual(['v2', 'v2', 'v2', 'v2']);
    const { inForce } = after(ROLLBACK, changes);
    expect(inForce && variantsOf(inForce)).toEqual(['v1', 'v1', 'v1', 'v1']);
  });

  test('asked for twice changes nothing the second time', () => {
    const { file, standing } = after(ROLLBACK);
    expect(file && carryOut(ROLLBACK, { experiment: file.experiment, standing }, 0)).toEqual({
      kind: 'same',
    });
  });
});

describe('a promotion without a rollout', () => {
  test('gives the only variant that isn’t the control everything', () => {
    expect(after(FULL).outcome).toMatchObject({
      kind: 'change',
      split: { status: 'completed', winner: 'v2', weights: { v1: 0, v2: 100 } },
    });
  });

  const three = {
    variants: ['v1', 'v2', 'v3'].map((name, index) => ({ name, version: index + 1, weight: 1 })),
  };
  test.each([
    [undefined, 'it could be v2, v3; name it'],
    ['v4', "has no variant 'v4'; its variants are v1, v2, v3"],
  ])('of three variants has to name one that is there: %s', (variant, message) => {
    expect(after({ ...FULL, variant }, three).outcome).toMatchObject({
      kind: 'refused',
      fault: 'unknown_variant',
      message: expect.stringContaining(message) as string,
    });
    expect(after({ action: 'promote', full: true, variant: 'v3' }, three).outcome).toMatchObject({
      split: { winner: 'v3' },
    });
  });
});

describe('pause and resume', () => {
  const split = { weights: { v1: 70, v2: 30 } };
  const asked = (action: 'pause' | 'resume', status: 'running' | 'paused' | 'completed', changes = {}) => {
    const file = written(changes);
    const standing = standingOf(file, { ...split, status, winner: 'v2' });
    return carryOut({ action }, { experiment: file.experiment, standing }, 0);
  };

  test('keep the weights that were in force', () => {
    expect(asked('pause', 'running')).toMatchObject({
      kind: 'change',
      split: { status: 'paused', ...split },
    });
    expect(asked('resume', 'paused')).toMatchObject({
      kind: 'change',
      split: { status: 'running', ...split },
    });
    expect(asked('pause', 'paused')).toEqual({ kind: 'same' });
    expect(asked('resume', 'running')).toEqual({ kind: 'same' });
  });

  test('a resume says that what the store had lost goes on, though nothing else changes', () => {
    const file = written();
    const standing = { ...standingOf(file, split), isRecovered: true };
    const outcome = carryOut({ action: 'resume' }, { experiment: file.experiment, standing }, 0);
    expect(outcome).toEqual({ kind: 'change', split: standing.split });
    expect(nextStanding(standing, { split: standing.split, cause: BY_HAND, id: 'next' }).isRecovered).toBe(
      false,
    );
  });

  test('what was ended by hand starts from the file’s weights again, unless the file ended it', () => {
    expect(asked('resume', 'completed')).toMatchObject({
      kind: 'change',
      split: { status: 'running', weights: { v1: 90, v2: 10 } },
    });
    expect(asked('resume', 'completed', { status: 'completed' })).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('write status: running, with a new phase') as string,
    });
    expect(asked('pause', 'completed')).toMatchObject({ kind: 'refused', fault: 'not_possible' });
  });
});

test('a rollout is asked first, with its own state, and may leave the answer to what holds without one', () => {
  const file = written();
  const standing = {
    ...standingOf(file, { rollout: { step: 2 } }),
    cause: { ...standingOf(file).cause, at: AT },
  };
  const situation = { experiment: file.experiment, standing };
  const rollout: RolloutCommands = ({ action }, { standing: { split } }) =>
    action === 'promote'
      ? { kind: 'change', split: { ...split, weights: { v1: 75, v2: 25 }, rollout: { step: 3 } } }
      : undefined;
  expect(carryOut(FULL, situation, 0, rollout)).toMatchObject({
    split: { status: 'running', weights: { v1: 75, v2: 25 }, rollout: { step: 3 } },
  });
  expect(carryOut(ROLLBACK, situation, 0, rollout)).toMatchObject({ split: { status: 'completed' } });
});
