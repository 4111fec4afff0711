import { expect, test } from 'vitest';
import { parseYaml } from '../../documents/yaml-document.ts';
import { readExperiment } from '../../experiments/definition.ts';
import { refusals } from '../documents/refusals.ts';
import { sampleExperiment } from './sample-experiment.ts';

const BASE = `\
key: digits-cnn
model: digits
status: running
control: v1
variants: [{ name: v1, version: 1, weight: 1 }, { name: v2, version: 2, weight: 1 }]
`;

const refusalsOf = (text: string) =>
  refusals(() => readExperiment(parseYaml(`${BASE}${text}\n`, 'a.yaml'), undefined));

test.each([
  ['hashAttribute: { cookie: uid }', { kind: 'cookie', name: 'uid' }],
  ['hashAttribute: { header: X-Account }', { kind: 'header', name: 'x-account' }],
  ['hashAttribute: { json: parameters.user.id }', { kind: 'parameter', name: 'user.id' }],
  ['hashAttribute: { apiKey: true }', { kind: 'apiKey' }],
  ['hashAttribute: { none: true }', { kind: 'none' }],
])('%s is read', (text, source) => {
  expect(readExperiment(parseYaml(`${BASE}${text}\n`, 'a.yaml'), undefined).hashAttribute).toEqual(source);
});

test('phases, times, namespace, holdout and mirror are read', () => {
  expect(
    sampleExperiment({
      phase: { number: 3, name: 'again', seed: 'other' },
      start: '2026-12-01T08:00:00+01:00',
      stop: '2026-12-08T08:00Z',
      namespace: { name: 'ranking', range: [0.25, 0.5] },
      holdout: 0.1,
      mirror: { variant: 'v2' },
    }),
  ).toMatchObject({
    phase: 3,
    phaseName: 'again',
    seed: 'other',
    startMs: Date.UTC(2026, 11, 1, 7),
    stopMs: Date.UTC(2026, 11, 8, 8),
    namespace: { name: 'ranking', from: 0.25, to: 0.5 },
    holdout: { share: 0.1, seed: 'digits-cnn:holdout' },
    mirrors: [{ variant: { name: 'v2' }, share: 1 }],
  });
});

test('every kind of metric is read, with its defaults', () => {
  const { metrics, guardrails } = sampleExperiment({
    metrics: [
      { name: 'correct', kind: 'proportion', role: 'goal', window: '24h', minimumEffect: 0.02 },
      { name: 'revenue', kind: 'mean', cap: 99, covariate: 'revenue_before' },
      { name: 'spent', kind: 'mean', winsorize: 0.99 },
      { name: 'clicks', kind: 'count', cap: 100 },
      { name: 'per_view', kind: 'ratio', direction: 'decrease' },
      { name: 'p99', kind: 'quantile', quantile: 0.99, source: 'compute', role: 'guardrail' },
    ],
    guardrails: [{ metric: 'p99', maximum: 0.1, maximumHarm: 0.05 }],
  });
  const base = { role: 'secondary', direction: 'increase', windowMs: undefined, minimumEffect: undefined };
  const single = { ...base, source: 'outcome', covariate: undefined };
  expect(metrics).toEqual([
    {
      ...single,
      name: 'correct',
      kind: 'proportion',
      role: 'goal',
      windowMs: 86_400_000,
      minimumEffect: 0.02,
    },
    {
      ...single,
      name: 'revenue',
      kind: 'mean',
      cap: { kind: 'value', value: 99 },
      covariate: 'revenue_before',
    },
    { ...single, name: 'spent', kind: 'mean', cap: { kind: 'quantile', quantile: 0.99 } },
    { ...single, name: 'clicks', kind: 'count', cap: { kind: 'value', value: 100 } },
    { ...base, name: 'per_view', kind: 'ratio', direction: 'decrease' },
    {
      ...base,
      name: 'p99',
      kind: 'quantile',
      quantile: 0.99,
      source: 'compute',
      role: 'guardrail',
      direction: 'decrease',
    },
  ]);
  expect(guardrails).toEqual([{ metric: 'p99', minimum: undefined, maximum: 0.1, maximumHarm: 0.05 }]);
});

test.each([
  ['hashAttribute: { jsn: x }', '6:1: hashAttribute: is a map; expected the name of the request header'],
  [
    'hashAttribute: { json: inputs.0 }',
    `6:24: hashAttribute.json: is "inputs.0"; expected the path of one of the protocol's request parameters`,
  ],
  ['phase: 0', '6:8: phase: is 0; expected a whole number from 1 to 65535'],
  ['phase: { number: 0 }', '6:18: phase.number: is 0; expected a whole number from 1 to 65535'],
  [`phase: { number: 1, name: ${'n'.repeat(101)} }`, 'phase.name: is "nnn'],
  [
    'phase: { number: 1, name: "one\\Ltwo" }',
    '6:27: phase.name: has the control character U+2028; expected one line of text without any',
  ],
  ['holdout: { share: 2 }', '6:19: holdout.share: is 2; expected a share of the units, from 0 to 1'],
  ['start: 2026-12-01', '6:8: start: is "2026-12-01"; expected when it begins to enrol: a time of ISO 8601'],
  ['start: 2026-02-30T00:00:00Z', '6:8: start: is "2026-02-30T00:00:00Z", which is no time'],
  ['start: 2026-12-01T25:00:00Z', '6:8: start: is "2026-12-01T25:00:00Z", which is no time'],
  [
    'start: 2026-12-02T00:00:00Z\nstop: 2026-12-01T00:00:00Z',
    'stop: is 2026-12-01T00:00:00Z, not after the start',
  ],
  [
    'namespace: { name: a, range: [0.5, 0.5] }',
    '6:23: namespace.range: goes from 0.5 to 0.5, which is nobody',
  ],
  ['namespace: { name: a, range: [0, 2] }', 'namespace.range[1]: is 2; expected a share from 0 to 1'],
  ['holdout: 1.5', '6:10: holdout: is 1.5; expected a share of the units, from 0 to 1, or a map'],
  ['forced: { ada: v3 }', '6:16: forced.ada: is "v3"; expected one of the variants v1, v2'],
  ['forced: { "": v2 }', 'forces the empty unit, which is none'],
  [
    'forced: { ada: v2 }\nhashAttribute: { none: true }',
    'forced: names units, and hashAttribute says that there are none',
  ],
  ['sticky: true\nhashAttribute: { none: true }', 'sticky: keeps units where they landed'],
  ['allocation: { kind: thompson }', 'allocation.metric: is missing, and the experiment has 0 goals'],
  [
    'allocation: { kind: thompson, metric: q }\nmetrics: [{ name: q, kind: quantile, quantile: 0.5 }]',
    'allocation.metric: is "q"; expected a metric that is a proportion, mean, count or ratio',
  ],
  [
    'allocation: { kind: thompson }\nsticky: false\nmetrics: [{ name: a, kind: mean, role: goal }]',
    'allocation: moves weights often, and sticky: false would move units with them',
  ],
  [
    'allocation: { kind: thompson, floor: 0.6 }\nmetrics: [{ name: a, kind: mean, role: goal }]',
    'allocation.floor: is 0.6; expected the least share of a variant, from 0.01 to 0.5',
  ],
  ['allocation: { kind: fixed, floor: 0.1 }', 'allocation.floor: goes with kind thompson only'],
  ['mirror: { variant: v3 }', 'mirror.variant: is "v3"; expected one of the variants v1, v2'],
  ['mirror: [{ variant: v2 }, { variant: v2 }]', 'mirror[1].variant: "v2" is there twice'],
  ['match: [{}]', '6:9: match[0]: has no condition, so it concerns everybody'],
  ['match: [{ variant: v2 }]', 'match[0]: has no condition'],
  ['match: [{ headers: {} }]', 'match[0]: has no condition'],
  [
    'match: [{ headers: { a: b }, variant: v3 }]',
    'match[0].variant: is "v3"; expected one of the variants v1, v2',
  ],
  [
    'match: [{ headers: { A: b, a: b } }]',
    'match[0].headers.a: stands beside the same header a in other letters',
  ],
  ['match: [{ headers: { "a b": c } }]', 'is no name of a header'],
  ['match: [{ headers: { X-Experiment: v2 } }]', 'is the override, which comes before every rule'],
  ['match: [{ headers: { a: { regex: "(" } } }]', "match[0].headers.a.regex: is no pattern of RE2's syntax"],
  [
    'match: [{ headers: { a: { exat: b } } }]',
    'match[0].headers.a.exat: is an unknown key; known here: exact, prefix, regex',
  ],
  ['match: [{ inputs: { X: { rows: { min: 3, max: 2 } } } }]', 'match[0].inputs.X.rows: has min 3 and max 2'],
  ['match: [{ header: { a: b } }]', 'match[0].header: is an unknown key; known here: headers, query'],
  ['metrics: [{ name: a, kind: mean }, { name: a, kind: mean }]', 'metrics[1].name: "a" is there twice'],
  [
    'metrics: [{ name: a, kind: mean, quantile: 0.5 }]',
    'metrics[0].quantile: goes with kind quantile only, and the kind is mean',
  ],
  [
    'metrics: [{ name: latency, kind: mean }]',
    'metrics[0].name: is "latency", which the gateway measures itself; expected source: latency beside it, or another name',
  ],
  ['metrics: [{ name: a, kind: quantile }]', 'metrics[0].quantile: is missing'],
  ['metrics: [{ name: a, kind: ratio, source: latency }]', 'metrics[0].source: goes with kind'],
  [
    'metrics: [{ name: a, kind: proportion, source: latency }]',
    'metrics[0].source: is latency, which is no proportion; expected one of outcome, error_rate',
  ],
  ['metrics: [{ name: a, kind: mean, cap: 1, winsorize: 0.9 }]', 'metrics[0].winsorize: stands beside cap'],
  [
    'metrics: [{ name: a, kind: mean, winsorize: 0.9, covariate: b }]',
    'metrics[0].covariate: stands beside winsorize',
  ],
  ['metrics: [{ name: a, kind: mean, covariate: a }]', 'metrics[0].covariate: is the metric itself'],
  [
    'metrics: [{ name: a, kind: mean, covariate: latency }]',
    'metrics[0].covariate: is "latency", which the gateway measures after the exposure',
  ],
  [
    'metrics: [{ name: a, kind: mean, source: latency, covariate: b }]',
    'metrics[0].covariate: goes with outcomes only',
  ],
  [
    'metrics: [{ name: a, kind: mean, covariate: b }, { name: b, kind: ratio }]',
    'metrics[0].covariate: is "b", a ratio; expected a proportion, mean or count of the first exposure',
  ],
  [
    'metrics: [{ name: a, kind: mean, covariate: b }, { name: b, kind: mean, window: 1h }]',
    'metrics[0].covariate: is "b", a mean with a window',
  ],
  [
    'metrics: [{ name: a, kind: mean, source: drift, role: guardrail }]',
    'metrics[0].role: is guardrail, and drift is a size that is not tested; expected secondary',
  ],
  [
    'metrics: [{ name: a, kind: mean, source: drift, role: goal }]',
    'metrics[0].role: is goal, and drift is a size that is not tested',
  ],
  ['metrics: [{ name: a, kind: mean, window: 1 day }]', 'metrics[0].window: is "1 day"; expected a duration'],
  [
    'guardrails: [{ metric: a, maximum: 1 }]',
    'guardrails[0].metric: is "a"; expected one of the metrics: there are none',
  ],
  [
    'metrics: [{ name: a, kind: mean }]\nguardrails: [{ metric: a, maximum: 1 }]',
    'guardrails[0].metric: is "a", whose role is secondary',
  ],
  [
    'metrics: [{ name: a, kind: mean, role: guardrail }]\nguardrails: [{ metric: a }]',
    'guardrails[0]: has no threshold',
  ],
  [
    'metrics: [{ name: a, kind: mean, role: guardrail }]\nguardrails: [{ metric: a, minimum: 2, maximum: 1 }]',
    'guardrails[0].minimum: is 2, above the maximum of 1',
  ],
  ['rollout: { steps: [] }', '6:12: rollout.steps: is a list of 0; expected a list of at least one step'],
])('%s is refused', async (text, message) => {
  expect(await refusalsOf(text)).toEqual([expect.stringContaining(message)]);
});

test('a floor that is too high in whole percents for the variants is refused', async () => {
  const third = '{ name: v2, version: 2, weight: 1 }, { name: v3, version: 3, weight: 1 }';
  const withFloor = (floor: number): string =>
    `${BASE.replace('{ name: v2, version: 2, weight: 1 }', third)}allocation: { kind: thompson, floor: ${floor} }\n` +
    'metrics: [{ name: a, kind: mean, role: goal }]\n';
  const refused = await refusals(() => readExperiment(parseYaml(withFloor(0.333), 'a.yaml'), undefined));
  expect(refused.join()).toContain(
    'allocation.floor: is 0.333 for each of 3 variants, which is more than there is in whole percents; expected at most 0.33',
  );
  expect(readExperiment(parseYaml(withFloor(0.33), 'a.yaml'), undefined).allocation?.floor).toBe(33);
});

test('a control whose requests are passed on undecoded can’t be mirrored, and one that speaks v2 can', () => {
  const mirrored = (protocol: string, more: object) =>
    sampleExperiment({
      variants: [
        { name: 'v1', weight: 100, upstream: { url: 'http://127.0.0.1:9', protocol } },
        { name: 'v2', version: 2, weight: 0 },
      ],
      ...more,
    });
  const steps = [{ setMirrorRoute: { percentage: 100 } }, { analysis: {} }];
  const rollout = { steps, analysis: { mirror: { minAgreement: 0.9 } } };
  for (const protocol of ['http', 'torchserve']) {
    expect(() => mirrored(protocol, { mirror: { variant: 'v2' } })).toThrow(
      `mirror: copies what v1 is asked, which speaks ${protocol}`,
    );
    expect(() => mirrored(protocol, { rollout })).toThrow('rollout.steps: copies what v1 is asked');
  }
  expect(mirrored('v2', { mirror: { variant: 'v2' } }).mirrors).toHaveLength(1);
});
