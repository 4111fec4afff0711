import { expect, test } from 'vitest';
import { diffExperiments } from '../../experiments/experiment-diff.ts';
import { ExperimentSchema } from '../../experiments/experiment-schema.ts';
import { sampleExperiment } from './sample-experiment.ts';

/** A JSON Schema, as far as its keys are looked for. */
interface Schema {
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
}

/** The paths of all values that a file may have: `variants[].weight`. */
function leavesOf({ anyOf, items, properties }: Schema, path: string): readonly string[] {
  if (anyOf !== undefined) return anyOf.flatMap((schema) => leavesOf(schema, path));
  if (items !== undefined) return leavesOf(items, `${path}[]`);
  if (properties === undefined) return [path];
  return Object.entries(properties).flatMap(([key, schema]) =>
    leavesOf(schema, path === '' ? key : `${path}.${key}`),
  );
}

type Fields = Readonly<Record<string, unknown>>;

const variant = (changes: Fields = {}): Fields => ({
  variants: [
    { name: 'v1', version: 1, weight: 90 },
    { name: 'v2', version: 2, weight: 10, ...changes },
  ],
});
const elsewhere = (changes: Fields = {}): Fields => ({
  variants: [
    { name: 'v1', version: 1, weight: 90 },
    { name: 'v2', weight: 10, upstream: { url: 'http://triton:8000', ...changes } },
  ],
});
const metric = (changes: Fields = {}): Fields => ({
  metrics: [{ name: 'correct', kind: 'mean', role: 'goal', ...changes }],
});
const guardrail = (changes: Fields = {}): Fields => ({
  metrics: [
    { name: 'errors', kind: 'proportion', source: 'error_rate', role: 'guardrail' },
    { name: 'hits', kind: 'proportion', source: 'cache_hits', role: 'guardrail' },
  ],
  guardrails: [{ metric: 'errors', maximum: 0.5, ...changes }],
});
const rule = (condition: Fields): Fields => ({ match: [{ ...condition }] });
const bandit = (changes: Fields = {}): Fields => ({
  metrics: ['correct', 'other'].map((name) => ({ name, kind: 'proportion', role: 'goal' })),
  allocation: { kind: 'thompson', metric: 'correct', every: '10m', floor: 0.1, ...changes },
});
const rollout = (changes: Fields = {}): Fields => ({
  ...guardrail(),
  ...variant({ weight: 0 }),
  rollout: { variant: 'v2', steps: [{ setWeight: 10 }, { pause: { duration: '10m' } }], ...changes },
});
/** A second variant of the control's version, which a canary may be compared with. */
const WITH_BASELINE = [
  { name: 'v1', version: 1, weight: 90 },
  { name: 'v2', version: 2, weight: 0 },
  { name: 'same', version: 1, weight: 0 },
];
const SECOND = (keys: Fields): Fields => ({ steps: [{ setWeight: 10 }, keys] });

/** An edit of each key, and what it is classed as. A key without children that is missing here fails the test. */
const EDITS: Readonly<Record<string, readonly [before: Fields, after: Fields, expected: string]>> = {
  key: [{}, { key: 'other' }, 'forbidden key'],
  model: [{}, { model: 'letters' }, 'forbidden model'],
  status: [{}, { status: 'paused' }, 'safe status'],
  phase: [{}, { phase: 2 }, 'safe phase'],
  'phase.number': [{ phase: { number: 1 } }, { phase: { number: 2 } }, 'safe phase'],
  'phase.name': [{ phase: { number: 1 } }, { phase: { number: 1, name: 'x' } }, 'safe phase.name'],
  'phase.seed': [{ phase: { number: 1 } }, { phase: { number: 1, seed: 'x' } }, 'new_phase seed'],
  start: [{}, { start: '2027-01-01T00:00:00Z' }, 'forbidden start'],
  stop: [{}, { stop: '2027-01-01T00:00:00Z' }, 'safe stop'],
  'hashAttribute.header': [
    { hashAttribute: { header: 'a' } },
    { hashAttribute: { header: 'b' } },
    'new_phase hashAttribute',
  ],
  'hashAttribute.cookie': [{}, { hashAttribute: { cookie: 'b' } }, 'new_phase hashAttribute'],
  'hashAttribute.json': [{}, { hashAttribute: { json: 'parameters.user' } }, 'new_phase hashAttribute'],
  'hashAttribute.apiKey': [{}, { hashAttribute: { apiKey: true } }, 'new_phase hashAttribute'],
  'hashAttribute.none': [{}, { hashAttribute: { none: true } }, 'new_phase hashAttribute'],
  hashAttribute: [{ hashAttribute: 'x-user-id' }, { hashAttribute: 'x-team' }, 'new_phase hashAttribute'],
  seed: [{}, { seed: 'x' }, 'new_phase seed'],
  'match[].headers': [rule({ headers: { a: 'b' } }), rule({ headers: { a: 'c' } }), 'new_phase match'],
  'match[].query': [rule({ query: { a: 'b' } }), rule({ query: { a: 'c' } }), 'new_phase match'],
  'match[].cookies': [rule({ cookies: { a: 'b' } }), rule({ cookies: { a: 'c' } }), 'new_phase match'],
  'match[].parameters': [
    rule({ parameters: { a: 'b' } }),
    rule({ parameters: { a: { regex: 'c' } } }),
    'new_phase match',
  ],
  'match[].apiKey': [
    rule({ apiKey: { regex: 'a' } }),
    rule({ apiKey: { not: { regex: 'b' } } }),
    'new_phase match',
  ],
  'match[].inputs': [
    rule({ inputs: { INPUT: { datatype: 'FP32' } } }),
    rule({ inputs: { INPUT: { datatype: 'FP16' } } }),
    'new_phase match',
  ],
  'match[].variant': [
    rule({ headers: { a: 'b' }, variant: 'v1' }),
    rule({ headers: { a: 'b' }, variant: 'v2' }),
    'new_phase match',
  ],
  'namespace.name': [
    { namespace: { name: 'a', range: [0, 0.5] } },
    { namespace: { name: 'b', range: [0, 0.5] } },
    'new_phase namespace',
  ],
  'namespace.range[]': [
    { namespace: { name: 'a', range: [0, 0.5] } },
    { namespace: { name: 'a', range: [0, 0.4] } },
    'new_phase namespace',
  ],
  holdout: [{}, { holdout: 0.1 }, 'new_phase holdout'],
  'holdout.share': [{ holdout: { share: 0.1 } }, { holdout: { share: 0.2 } }, 'new_phase holdout'],
  'holdout.seed': [
    { holdout: { share: 0.1, seed: 'a' } },
    { holdout: { share: 0.1, seed: 'b' } },
    'new_phase holdout',
  ],
  coverage: [{}, { coverage: 0.5 }, 'new_phase coverage'],
  forced: [{ forced: { ada: 'v1' } }, { forced: { ada: 'v2' } }, 'safe forced'],
  sticky: [{ sticky: true }, { sticky: false }, 'new_phase sticky'],
  control: [{}, { control: 'v2' }, 'new_phase control'],
  'variants[].name': [variant(), variant({ name: 'v3' }), 'new_phase variants'],
  'variants[].version': [variant(), variant({ version: 3 }), 'new_phase variants'],
  'variants[].weight': [variant(), variant({ weight: 20 }), 'safe variants'],
  'variants[].upstream.url': [elsewhere(), elsewhere({ url: 'http://other:8000' }), 'new_phase variants'],
  'variants[].upstream.protocol': [elsewhere(), elsewhere({ protocol: 'torchserve' }), 'new_phase variants'],
  'variants[].upstream.model': [elsewhere(), elsewhere({ model: 'x' }), 'new_phase variants'],
  'variants[].upstream.version': [elsewhere(), elsewhere({ version: 3 }), 'new_phase variants'],
  'variants[].upstream.path': [
    elsewhere({ protocol: 'http', path: '/a' }),
    elsewhere({ protocol: 'http', path: '/b' }),
    'new_phase variants',
  ],
  'variants[].upstream.tensors': [
    elsewhere({ tensors: 'binary' }),
    elsewhere({ tensors: 'json' }),
    'safe variants',
  ],
  'variants[].upstream.headers': [elsewhere(), elsewhere({ headers: { a: 'b' } }), 'safe variants'],
  'variants[].upstream.timeouts': [elsewhere(), elsewhere({ timeouts: { connect: '9s' } }), 'safe variants'],
  'variants[].upstream.connections': [elsewhere(), elsewhere({ connections: 3 }), 'safe variants'],
  'variants[].upstream.retries': [elsewhere(), elsewhere({ retries: 0 }), 'safe variants'],
  'variants[].upstream.breaker': [elsewhere(), elsewhere({ breaker: { failures: 99 } }), 'safe variants'],
  'variants[].upstream.health': [elsewhere(), elsewhere({ health: { interval: '9s' } }), 'safe variants'],
  onUnavailable: [{}, { onUnavailable: 'error' }, 'safe onUnavailable'],
  'mirror.variant': [{ mirror: { variant: 'v1' } }, { mirror: { variant: 'v2' } }, 'safe mirror'],
  'mirror.share': [{ mirror: { variant: 'v2' } }, { mirror: { variant: 'v2', share: 0.5 } }, 'safe mirror'],
  'mirror[].variant': [{}, { mirror: [{ variant: 'v2' }] }, 'safe mirror'],
  'mirror[].share': [
    { mirror: [{ variant: 'v2' }] },
    { mirror: [{ variant: 'v2', share: 0.5 }] },
    'safe mirror',
  ],
  'metrics[].name': [metric(), metric({ name: 'other' }), 'new_phase metrics.0'],
  'metrics[].kind': [metric(), metric({ kind: 'count' }), 'new_phase metrics.0'],
  'metrics[].role': [metric(), metric({ role: 'secondary' }), 'new_phase metrics.0'],
  'metrics[].direction': [metric(), metric({ direction: 'decrease' }), 'new_phase metrics.0'],
  'metrics[].source': [metric({ source: 'latency' }), metric({ source: 'compute' }), 'new_phase metrics.0'],
  'metrics[].window': [metric(), metric({ window: '24h' }), 'new_phase metrics.0'],
  'metrics[].quantile': [
    metric({ kind: 'quantile', quantile: 0.5 }),
    metric({ kind: 'quantile', quantile: 0.9 }),
    'new_phase metrics.0',
  ],
  'metrics[].covariate': [metric(), metric({ covariate: 'before' }), 'new_phase metrics.0'],
  'metrics[].cap': [metric(), metric({ cap: 5 }), 'new_phase metrics.0'],
  'metrics[].winsorize': [metric(), metric({ winsorize: 0.99 }), 'new_phase metrics.0'],
  'metrics[].minimumEffect': [metric(), metric({ minimumEffect: 0.1 }), 'safe metrics.0'],
  'guardrails[].metric': [guardrail(), guardrail({ metric: 'hits' }), 'safe guardrails'],
  'guardrails[].minimum': [guardrail(), guardrail({ minimum: 0.1 }), 'safe guardrails'],
  'guardrails[].maximum': [guardrail(), guardrail({ maximum: 0.6 }), 'safe guardrails'],
  'guardrails[].maximumHarm': [guardrail(), guardrail({ maximumHarm: 0.1 }), 'new_phase guardrails'],
  allocation: [bandit(), { ...bandit(), allocation: undefined, sticky: true }, 'safe allocation'],
  'allocation.metric': [bandit(), bandit({ metric: 'other' }), 'safe allocation'],
  'allocation.every': [bandit(), bandit({ every: '20m' }), 'safe allocation'],
  'allocation.floor': [bandit(), bandit({ floor: 0.2 }), 'safe allocation'],
  'allocation.ceiling': [bandit(), bandit({ ceiling: 0.8 }), 'safe allocation'],
  'allocation.minUnits': [bandit(), bandit({ minUnits: 500 }), 'safe allocation'],
  'rollout.preset': [rollout(), rollout({ steps: undefined, preset: 'canary' }), 'safe rollout'],
  'rollout.variant': [rollout(), { ...rollout(), rollout: undefined }, 'safe rollout'],
  'rollout.baseline': [
    { ...rollout(), variants: WITH_BASELINE },
    { ...rollout({ baseline: 'same' }), variants: WITH_BASELINE },
    'safe rollout',
  ],
  'rollout.steps[].setWeight': [
    rollout({ steps: [{ setWeight: 10 }] }),
    rollout({ steps: [{ setWeight: 30 }] }),
    'safe rollout',
  ],
  'rollout.steps[].pause.duration': [
    rollout(),
    rollout(SECOND({ pause: { duration: '20m' } })),
    'safe rollout',
  ],
  'rollout.steps[].analysis': [rollout(), rollout(SECOND({ analysis: { count: 3 } })), 'safe rollout'],
  'rollout.steps[].match': [
    rollout(SECOND({ match: [{ headers: { a: { regex: 'x' } } }] })),
    rollout(SECOND({ match: [{ headers: { a: { regex: 'y' } } }] })),
    'safe rollout',
  ],
  'rollout.steps[].setMirrorRoute': [
    rollout(SECOND({ setMirrorRoute: { percentage: 10 } })),
    rollout(SECOND({ setMirrorRoute: { percentage: 20 } })),
    'safe rollout',
  ],
  'rollout.interval': [rollout(), rollout({ interval: '2m' }), 'safe rollout'],
  'rollout.analysis': [
    rollout(),
    rollout({ analysis: { webhooks: [{ name: 'a', url: 'http://a' }] } }),
    'safe rollout',
  ],
  'rollout.failureLimit': [rollout(), rollout({ failureLimit: 3 }), 'safe rollout'],
  'rollout.inconclusiveLimit': [rollout(), rollout({ inconclusiveLimit: 3 }), 'safe rollout'],
  'rollout.minUnits': [rollout(), rollout({ minUnits: 77 }), 'safe rollout'],
  'rollout.progressDeadline': [rollout(), rollout({ progressDeadline: '3h' }), 'safe rollout'],
  'rollout.onNoData': [rollout(), rollout({ onNoData: 'rollback' }), 'safe rollout'],
  'rollout.autoPromote': [rollout(), rollout({ autoPromote: false }), 'safe rollout'],
  'rollout.hardFloor': [rollout(), rollout({ hardFloor: { consecutiveErrors: 3 } }), 'safe rollout'],
  winner: [{ status: 'completed' }, { status: 'completed', winner: 'v2' }, 'safe winner'],
};

/** Keys with one value only: there is no other that an edit could write. */
const ONE_VALUE = new Set(['hashVersion', 'allocation.kind']);

test('every key that a file may have is classed', () => {
  const covered = (leaf: string): boolean =>
    ONE_VALUE.has(leaf) ||
    Object.keys(EDITS).some(
      (path) =>
        leaf === path ||
        (path.includes('.') && (leaf.startsWith(`${path}.`) || leaf.startsWith(`${path}[]`))),
    );
  const leaves = new Set(leavesOf(ExperimentSchema as Schema, ''));
  expect(leaves.size).toBeGreaterThan(80);
  expect([...leaves].filter((leaf) => !covered(leaf))).toEqual([]);
});

test.each(Object.entries(EDITS))('an edit of %s', (_, [before, after, expected]) => {
  const changes = diffExperiments(
    sampleExperiment(before),
    sampleExperiment(after),
    Date.parse('2026-11-25T12:00:00Z'),
  );
  const lines = changes.map((change) => `${change.class} ${change.path.join('.')}`);
  expect(lines).toContain(expected);
});
