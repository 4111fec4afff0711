import { expect, test } from 'vitest';
import { decide } from '../../experiments/decision.ts';
import { assembleExperiments } from '../../experiments/experiment-set.ts';
import vectors from '../vectors/divisions.json' with { type: 'json' };
import { sampleCaller, sampleContext } from './sample-caller.ts';
import { sampleExperiment } from './sample-experiment.ts';

interface Vector {
  readonly name: string;
  readonly unit: string;
  readonly from: number;
  readonly to: number;
}

const CONTEXT = sampleContext();

/** Why a unit gets what it gets, by the vector's part of the units. */
const reasonOf = (changes: Readonly<Record<string, unknown>>, unit: string): string => {
  const { set } = assembleExperiments([sampleExperiment(changes)]);
  const decision = decide(set, 'digits', sampleCaller({ headers: { 'x-user-id': unit } }), CONTEXT);
  return decision.kind === 'variant' ? decision.reason : decision.kind;
};

test('every frozen vector of a namespace is in its part or not', () => {
  for (const { name, unit, from, to, within } of vectors.namespace) {
    // A name of a namespace has ASCII only; the hash is the same for all.
    if (!/^[a-z]+$/.test(name)) continue;
    const reason = reasonOf({ namespace: { name, range: [from, to] } }, unit);
    expect(reason, `${name}:${unit}`).toBe(within ? 'split' : 'default');
  }
});

test('every frozen vector of a percentage is in it or not', () => {
  const rule = ({ name, from, to }: Vector) => [
    { headers: { 'x-user-id': { percentage: [from * 100, to * 100], seed: name } } },
  ];
  for (const vector of vectors.percentage) {
    const reason = reasonOf({ match: rule(vector) }, vector.unit);
    expect(reason, `${vector.name}:${vector.unit}`).toBe(vector.within ? 'split' : 'default');
  }
});

test('every frozen vector of a holdout is held out or not', () => {
  for (const { name, unit, from, to, within } of vectors.holdout) {
    if (from > 0) continue;
    const reason = reasonOf({ holdout: { share: to, seed: name } }, unit);
    expect(reason, `${name}:${unit}`).toBe(within ? 'holdout' : 'split');
  }
});
