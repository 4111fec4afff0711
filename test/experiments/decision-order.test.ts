import { expect, test } from 'vitest';
import { hashShare, hashUnit } from '../../experiments/assignment.ts';
import { decide } from '../../experiments/decision.ts';
import type { DecisionContext } from '../../experiments/decision.ts';
import { assembleExperiments } from '../../experiments/experiment-set.ts';
import { sampleCaller, sampleContext } from './sample-caller.ts';
import type { SampleCaller } from './sample-caller.ts';
import { sampleExperiment } from './sample-experiment.ts';

type Changes = Readonly<Record<string, unknown>>;

const weighted = (v1: number, v2: number) => ({
  variants: [
    { name: 'v1', version: 1, weight: v1 },
    { name: 'v2', version: 2, weight: v2 },
  ],
});
const ALL_TO_V2 = weighted(0, 1);
const ADA = { 'x-user-id': 'ada' };
const USERS = Array.from({ length: 2000 }, (_, index) => `user-${index}`);

/** Answers `v2 split`: whom a caller of one experiment gets, and why. */
function asker(changes: Changes): (from?: SampleCaller, context?: DecisionContext) => string {
  const { set } = assembleExperiments([sampleExperiment(changes)]);
  return (from = { headers: ADA }, context = sampleContext()) => {
    const decision = decide(set, 'digits', sampleCaller(from), context);
    return decision.kind === 'variant' ? `${decision.variant.name} ${decision.reason}` : decision.kind;
  };
}

const ask = (changes: Changes, from?: SampleCaller, context?: DecisionContext): string =>
  asker(changes)(from, context);

const EVERYTHING: Changes = {
  ...ALL_TO_V2,
  forced: { ada: 'v2' },
  namespace: { name: 'all', range: [0, 1] },
  match: [{ headers: { 'x-plan': 'beta' }, variant: 'v2' }],
  holdout: 1,
  coverage: 0,
  sticky: true,
};

test('the steps come in their order: each speaks only where those before it are silent', () => {
  const beta = { 'x-plan': 'beta' };
  expect(ask(EVERYTHING, { headers: { ...ADA, ...beta, 'x-experiment': 'v1' } })).toBe('v1 override');
  expect(ask(EVERYTHING, { headers: { ...ADA, ...beta } })).toBe('v2 override');
  expect(ask(EVERYTHING, { headers: { 'x-user-id': 'bob', ...beta } })).toBe('v2 targeting');
  expect(ask(EVERYTHING, { headers: { 'x-user-id': 'bob' } })).toBe('v1 holdout');
  expect(ask({ ...EVERYTHING, holdout: 0 }, { headers: { 'x-user-id': 'bob' } })).toBe('v1 default');
  expect(ask({ ...EVERYTHING, holdout: 0, coverage: 1 }, { headers: { 'x-user-id': 'bob' } })).toBe(
    'v2 split',
  );
});

test.each(['paused', 'completed'])('what is %s says nothing of forced units and rules', (status) => {
  expect(ask({ ...EVERYTHING, status }, { headers: { ...ADA, 'x-plan': 'beta' } })).toBe('v1 default');
});

test('a rule without a variant lets in those who meet it; the others get the control', () => {
  const match = [{ headers: { 'x-country': { in: ['at', 'de'] } } }];
  expect(ask({ ...ALL_TO_V2, match }, { headers: { ...ADA, 'x-country': 'at' } })).toBe('v2 split');
  expect(ask({ ...ALL_TO_V2, match }, { headers: { ...ADA, 'x-country': 'fr' } })).toBe('v1 default');
  expect(ask({ ...ALL_TO_V2, match })).toBe('v1 default');
});

test('the first rule that is met decides', () => {
  const match = [
    { headers: { 'x-tester': 'yes' }, variant: 'v1' },
    { headers: { 'x-tester': 'yes', 'x-country': 'at' }, variant: 'v2' },
    { headers: { 'x-country': 'at' } },
  ];
  const from = (headers: Readonly<Record<string, string>>) => ({ headers: { ...ADA, ...headers } });
  expect(ask({ ...ALL_TO_V2, match }, from({ 'x-tester': 'yes', 'x-country': 'at' }))).toBe('v1 targeting');
  expect(ask({ ...ALL_TO_V2, match }, from({ 'x-country': 'at' }))).toBe('v2 split');
  expect(ask({ ...ALL_TO_V2, match }, from({}))).toBe('v1 default');
});

test('every place of a request can be matched, and all conditions of a rule have to hold', () => {
  const match = [
    {
      headers: { 'X-App': { semver: '>=2' } },
      query: { beta: 'true' },
      cookies: { plan: { prefix: 'pro' } },
      parameters: { tier: 'gold' },
      apiKey: { not: 'crawler' },
      inputs: { INPUT: { datatype: 'FP32', rows: { min: 1, max: 8 }, shape: [-1, 64] } },
      variant: 'v2',
    },
  ];
  const attributes = {
    'header x-app': '2.1.0',
    'query beta': 'true',
    'cookie plan': 'pro-1',
    'parameter tier': 'gold',
    'API key': 'shop',
  };
  const input = { name: 'INPUT', datatype: 'FP32', shape: [8, 64] };
  expect(ask({ match }, { attributes, inputs: [input] })).toBe('v2 targeting');
  for (const changed of [
    { attributes: { ...attributes, 'header x-app': '1.0.0' }, inputs: [input] },
    { attributes: { ...attributes, 'query beta': 'false' }, inputs: [input] },
    { attributes: { ...attributes, 'cookie plan': 'free' }, inputs: [input] },
    { attributes: { ...attributes, 'parameter tier': 'silver' }, inputs: [input] },
    { attributes: { ...attributes, 'API key': 'crawler' }, inputs: [input] },
    { attributes, inputs: [{ ...input, datatype: 'FP64' }] },
    { attributes, inputs: [{ ...input, shape: [9, 64] }] },
    { attributes, inputs: [{ ...input, shape: [0, 64] }] },
    { attributes, inputs: [{ ...input, shape: [8, 32] }] },
    { attributes, inputs: [{ ...input, shape: [8, 64, 1] }] },
    { attributes, inputs: [{ ...input, name: 'OTHER' }] },
    { attributes, inputs: [] },
  ]) {
    expect(ask({ match }, changed), JSON.stringify(changed)).toMatch(/split$/);
  }
});

test('a namespace lets in its part of the units, and the rest get the control', () => {
  const asked = asker({ ...ALL_TO_V2, namespace: { name: 'ranking', range: [0.2, 0.5] } });
  for (const user of USERS) {
    const share = hashShare('namespace:ranking', user);
    const expected = share >= 0.2 && share < 0.5 ? 'v2 split' : 'v1 default';
    expect(asked({ headers: { 'x-user-id': user } })).toBe(expected);
  }
});

test('a holdout of the gateway holds the same units out of every experiment', () => {
  const experiments = [
    sampleExperiment(ALL_TO_V2),
    sampleExperiment({ ...ALL_TO_V2, key: 'letters', model: 'letters' }),
  ];
  const { set } = assembleExperiments(experiments, { share: 0.1, seed: 'holdout' });
  let held = 0;
  for (const user of USERS) {
    const [one, other] = ['digits', 'letters'].map((model) =>
      decide(set, model, sampleCaller({ headers: { 'x-user-id': user } }), sampleContext()),
    );
    if (one?.kind !== 'variant' || other?.kind !== 'variant') expect.fail('somebody answers');
    expect(one.reason).toBe(other.reason);
    if (one.reason === 'holdout') held += 1;
  }
  expect(Math.abs(held / USERS.length - 0.1)).toBeLessThan(0.02);
});

test('experiments that share the seed of their holdouts hold out the same units, others do not', () => {
  const heldBy = (changes: Changes) => {
    const asked = asker({ ...ALL_TO_V2, ...changes });
    return USERS.filter((user) => asked({ headers: { 'x-user-id': user } }) === 'v1 holdout');
  };
  const shared = heldBy({ holdout: { share: 0.2, seed: 'q1' } });
  expect(heldBy({ key: 'other', holdout: { share: 0.2, seed: 'q1' } })).toEqual(shared);
  expect(heldBy({ holdout: 0.2 })).not.toEqual(shared);
});

test.each([
  ['before its start', '2026-11-22T12:00:00Z', undefined, '2026-11-22T11:59:59Z', 'v1 default'],
  ['from its start on', '2026-11-22T12:00:00Z', undefined, '2026-11-22T12:00:00Z', 'v2 split'],
  ['before its stop', undefined, '2026-11-22T14:00:00+02:00', '2026-11-22T11:59:59Z', 'v2 split'],
  ['from its stop on', undefined, '2026-11-22T14:00:00+02:00', '2026-11-22T12:00:00Z', 'v1 default'],
])('%s an experiment enrols or does not', (_, start, stop, now, expected) => {
  const changes = { ...ALL_TO_V2, forced: { bob: 'v2' }, ...(start && { start }), ...(stop && { stop }) };
  expect(ask(changes, undefined, sampleContext({ nowMs: () => Date.parse(now) }))).toBe(expected);
});

test.each([
  [{ cookie: 'uid' }, 'cookie uid'],
  [{ header: 'X-Account' }, 'header x-account'],
  [{ json: 'parameters.user_id' }, 'parameter user_id'],
  [{ apiKey: true }, 'API key'],
])('the unit may be named by %j', (hashAttribute, source) => {
  for (const user of USERS.slice(0, 100)) {
    expect(ask({ ...weighted(1, 1), hashAttribute }, { attributes: { [source]: user } })).toBe(
      ask(weighted(1, 1), { headers: { 'x-user-id': user } }),
    );
  }
});

test('where nothing names a unit, each request is a unit of its own, and none is told', () => {
  const { set } = assembleExperiments([
    sampleExperiment({ ...weighted(1, 1), hashAttribute: { none: true } }),
  ]);
  const context = sampleContext();
  const decisions = USERS.slice(0, 100).map(() =>
    decide(set, 'digits', sampleCaller({ headers: ADA }), context),
  );
  const variants = decisions.map((decision) => (decision.kind === 'variant' ? decision.variant.name : ''));
  expect(new Set(variants)).toEqual(new Set(['v1', 'v2']));
  expect(decisions.every((decision) => decision.kind === 'variant' && decision.unit === undefined)).toBe(
    true,
  );
});

test('a sticky unit stays where it first landed, whatever the weights become, while the phase lasts', () => {
  const context = sampleContext();
  expect(ask({ ...ALL_TO_V2, sticky: true }, undefined, context)).toBe('v2 split');
  expect(ask({ ...weighted(999, 1), sticky: true }, undefined, context)).toBe('v2 sticky');
  expect(ask({ ...weighted(999, 1), sticky: true, phase: 2 }, undefined, context)).toBe('v1 split');
  expect(ask(weighted(999, 1), undefined, context)).toBe('v1 split');
});

test('a variant whose weight is 0 keeps nobody: a rollback reaches the units that landed there', () => {
  const context = sampleContext();
  ask({ ...ALL_TO_V2, sticky: true }, undefined, context);
  expect(ask({ ...weighted(1, 0), sticky: true }, undefined, context)).toBe('v1 split');
  expect(ask({ ...weighted(1, 999), sticky: true }, undefined, context)).toBe('v1 sticky');
});

test('a unit that got a fallback has not landed, and one without a name is not remembered', () => {
  const put: string[] = [];
  const context: DecisionContext = sampleContext({
    sticky: { get: () => undefined, put: (...entry) => put.push(entry.join(' ')) },
  });
  expect(ask({ ...ALL_TO_V2, sticky: true }, { headers: ADA, ready: [1] }, context)).toBe('v1 fallback');
  expect(ask({ ...ALL_TO_V2, sticky: true }, {}, context)).toBe('v2 split');
  expect(put).toEqual([]);
  ask({ ...ALL_TO_V2, sticky: true }, undefined, context);
  expect(put).toEqual([`digits-cnn 1 ${hashUnit('digits-cnn', 'ada')} v2`]);
});

test('a new phase deals the units anew only where its seed is another', () => {
  const variantsOf = (changes: Changes) => {
    const asked = asker({ ...weighted(1, 1), ...changes });
    return USERS.map((user) => asked({ headers: { 'x-user-id': user } }));
  };
  const first = variantsOf({});
  expect(variantsOf({ phase: 2 })).toEqual(first);
  expect(variantsOf({ phase: { number: 2, name: 'again' } })).toEqual(first);
  expect(variantsOf({ phase: { number: 2, seed: 'other' } })).not.toEqual(first);
});
