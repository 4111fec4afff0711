import { describe, expect, test } from 'vitest';
import { parseYaml } from '../../../documents/yaml-document.ts';
import { readExperiment } from '../../../experiments/definition.ts';
import { trafficAt, weightStages } from '../../../experiments/rollouts/plan.ts';
import { refusals } from '../../documents/refusals.ts';

const HEAD = `\
key: digits-cnn
model: digits
status: running
control: v1
variants: [{ name: v1, version: 1, weight: 1 }, { name: v2, version: 2, weight: 0 }]
`;
const METRICS = `metrics: [{ name: errors, kind: proportion, source: error_rate, role: guardrail }]
`;

const read = (rollout: string, head = HEAD + METRICS) => {
  const { rollout: plan } = readExperiment(parseYaml(`${head}rollout: ${rollout}\n`, 'a.yaml'), undefined);
  return plan ?? expect.fail('there is a plan');
};
const refusalsOf = (rollout: string, head = HEAD + METRICS) =>
  refusals(() => readExperiment(parseYaml(`${head}rollout: ${rollout}\n`, 'a.yaml'), undefined));

test('a plan is read in the words of Argo Rollouts, with its defaults', () => {
  expect(
    read('{ steps: [{ setWeight: 0.5 }, { pause: { duration: 10m } }, { analysis: {} }, { pause: {} }] }'),
  ).toEqual({
    variant: 'v2',
    baseline: undefined,
    steps: [
      { kind: 'setWeight', weight: 0.5 },
      { kind: 'pause', durationMs: 600_000 },
      { kind: 'analysis', count: 1, checks: { queries: [], webhooks: [], mirror: undefined } },
      { kind: 'pause', durationMs: undefined },
    ],
    intervalMs: 60_000,
    checks: { queries: [], webhooks: [], mirror: undefined },
    failureLimit: 0,
    inconclusiveLimit: undefined,
    minUnits: 100,
    progressDeadlineMs: undefined,
    onNoData: 'hold',
    autoPromote: true,
    hardFloor: { error: 10, timeout: 10, nan: 3, worker_death: 3, out_of_memory: 2 },
  });
});

test('every key is read', () => {
  const plan = read(`
  variant: v2
  interval: 30s
  failureLimit: 2
  inconclusiveLimit: 3
  minUnits: 500
  progressDeadline: 1h
  onNoData: rollback
  autoPromote: false
  hardFloor: { consecutiveErrors: 5, consecutiveNaN: 1, workerDeaths: 0 }
  analysis:
    metrics:
      - name: p99
        prometheus: { address: "http://prometheus:9090/", query: 'max(x{variant="{{ variant }}"}[{{interval}}])' }
        thresholdRange: { max: 0.5 }
        timeout: 2s
    webhooks: [{ name: smoke, url: "https://example.org/smoke", metadata: { team: vision } }]
  steps:
    - match: [{ headers: { x-tester: "yes" } }]
    - pause: { duration: 20 }
    - setMirrorRoute: { percentage: 10 }
    - analysis: { count: 2, mirror: { minAgreement: 0.95, maxDrift: 0.2 } }
    - setWeight: 10
    - analysis: { count: 3 }
`);
  expect(plan).toMatchObject({
    intervalMs: 30_000,
    failureLimit: 2,
    inconclusiveLimit: 3,
    minUnits: 500,
    progressDeadlineMs: 3_600_000,
    onNoData: 'rollback',
    autoPromote: false,
    hardFloor: { error: 5, timeout: 10, nan: 1, worker_death: 0 },
    checks: {
      queries: [{ name: 'p99', address: 'http://prometheus:9090', range: { max: 0.5 }, timeoutMs: 2000 }],
      webhooks: [{ name: 'smoke', timeoutMs: 10_000, metadata: { team: 'vision' } }],
    },
  });
  expect(plan.steps.map(({ kind }) => kind)).toEqual([
    'match',
    'pause',
    'setMirrorRoute',
    'analysis',
    'setWeight',
    'analysis',
  ]);
  expect(plan.steps[1]).toEqual({ kind: 'pause', durationMs: 20_000 });
  expect(trafficAt(plan, 3)).toMatchObject({ weight: 0, mirror: 10, rules: [{ conditions: [{}] }] });
});

describe('presets', () => {
  const shape = (preset: string) =>
    read(`{ preset: ${preset} }`).steps.map((step) =>
      step.kind === 'setWeight'
        ? step.weight
        : step.kind === 'setMirrorRoute'
          ? `mirror ${step.percentage}`
          : step.kind,
    );
  test('canary looks after each weight', () => {
    expect(shape('canary')).toEqual([
      1,
      'analysis',
      5,
      'analysis',
      10,
      'analysis',
      25,
      'analysis',
      50,
      'analysis',
      100,
    ]);
    expect(weightStages(read('{ preset: canary }'))).toBe(5);
  });
  test('blue-green waits for a person, and switches all at once', () => {
    expect(shape('blue-green')).toEqual([0, 'pause', 100, 'analysis']);
  });
  test('mirror-first gates the first percent by the agreement of the shadow', () => {
    expect(shape('mirror-first').slice(0, 4)).toEqual(['mirror 10', 'analysis', 'mirror 0', 1]);
  });
});

describe('a plan that can never be followed is refused where it stands:', () => {
  test.each([
    [
      '{ preset: canary, steps: [{ setWeight: 5 }] }',
      'a.yaml:7:20: rollout.preset: stands beside steps, which say the same otherwise; expected one of the two',
    ],
    ['{ interval: 1m }', 'a.yaml:7:1: rollout: says no way; expected preset or steps'],
    ['{ steps: [] }', 'a.yaml:7:12: rollout.steps: is a list of 0; expected a list of at least one step'],
    [
      '{ steps: [{ setWeight: 5, pause: {} }] }',
      'a.yaml:7:20: rollout.steps[0]: has setWeight and pause; expected one of setWeight, pause, analysis, match, setMirrorRoute',
    ],
    [
      '{ steps: [{}] }',
      'a.yaml:7:20: rollout.steps[0]: has nothing to do; expected one of setWeight, pause, analysis, match, setMirrorRoute',
    ],
    [
      '{ steps: [{ setWeight: 101 }] }',
      "a.yaml:7:33: rollout.steps[0].setWeight: is 101; expected the variant's share of the units: 0 to 100, two decimals at most",
    ],
    [
      '{ steps: [{ setWeight: 0.001 }] }',
      "a.yaml:7:33: rollout.steps[0].setWeight: is 0.001; expected the variant's share of the units: 0 to 100, two decimals at most",
    ],
    [
      '{ steps: [{ setWeight: 5 }, { pause: {} }, { setWeight: 5 }] }',
      'a.yaml:7:66: rollout.steps[2].setWeight: is 5, after 5; expected more: a plan goes up',
    ],
    [
      '{ steps: [{ setWeight: 5 }, { setWeight: 9 }] }',
      'a.yaml:7:51: rollout.steps[1].setWeight: takes the place of 5 at once; expected a pause or an analysis between two weights',
    ],
    [
      '{ steps: [{ setWeight: 100 }, { pause: {} }, { setWeight: 100 }] }',
      'a.yaml:7:68: rollout.steps[2].setWeight: is 100, after all units got the variant; expected no weight after 100',
    ],
    [
      '{ steps: [{ pause: { duration: 10x } }] }',
      'a.yaml:7:41: rollout.steps[0].pause.duration: is "10x"; expected how long it waits: a duration as 500ms, 30s, 10m, 2h or 1d, or a whole number of seconds',
    ],
    ['{ interval: 50ms, preset: canary }', 'a.yaml:7:22: rollout.interval: is 50ms; expected 100ms at least'],
    [
      '{ variant: v1, preset: canary }',
      'a.yaml:7:21: rollout.variant: is "v1", which is the control; expected one of v2',
    ],
    ['{ variant: v3, preset: canary }', 'a.yaml:7:21: rollout.variant: is "v3"; expected one of v2'],
    [
      '{ baseline: v2, preset: canary, variant: v2 }',
      'a.yaml:7:51: rollout.variant: is "v2"; expected one of the variants beside the control',
    ],
    [
      '{ steps: [{ analysis: {} }] }',
      'a.yaml:7:22: rollout.steps[0].analysis: looks at nobody: no unit gets the variant yet; expected setWeight before it, or metrics, webhooks or mirror of its own',
    ],
    [
      '{ steps: [{ analysis: { mirror: { minAgreement: 0.9 } } }] }',
      'a.yaml:7:34: rollout.steps[0].analysis.mirror: has no copies to look at; expected setMirrorRoute before it',
    ],
    [
      '{ steps: [{ setMirrorRoute: { percentage: 5 } }, { analysis: { mirror: {} } }] }',
      'a.yaml:7:73: rollout.steps[1].analysis.mirror: has no threshold; expected minAgreement, maxDrift or both',
    ],
    [
      '{ steps: [{ match: [{ headers: { a: b }, variant: v2 }] }] }',
      'a.yaml:7:60: rollout.steps[0].match[0].variant: is said by the rollout; expected conditions only',
    ],
    [
      '{ preset: canary, analysis: { metrics: [{ name: a, prometheus: { address: "http://p", query: "{{ canary }}" }, thresholdRange: { min: 2, max: 1 } }] } }',
      'a.yaml:7:103: rollout.analysis.metrics[0].prometheus.query: names {{ canary }}; expected one of {{ experiment }}, {{ model }}, {{ variant }}, {{ version }}, {{ control }}, {{ controlVersion }}, {{ interval }}\n' +
        'a.yaml:7:144: rollout.analysis.metrics[0].thresholdRange.min: is 2, above the max of 1',
    ],
    [
      '{ preset: canary, analysis: { webhooks: [{ name: a, url: "ftp://x" }] } }',
      'a.yaml:7:67: rollout.analysis.webhooks[0].url: is a text of 7 characters, which is not shown; expected an address that begins with http:// or https://',
    ],
  ])('%s', async (rollout, expected) => {
    expect((await refusalsOf(rollout)).join('\n')).toBe(expected);
  });

  test('a weight of the file beside a plan', async () => {
    const head = HEAD.replace('weight: 0', 'weight: 10') + METRICS;
    expect(await refusalsOf('{ preset: canary }', head)).toEqual([
      "a.yaml:5:81: variants[1].weight: is 10, and v2 is rolled out: its weights are the steps'; expected 0",
    ]);
  });

  test('several variants, and none said to be rolled out', async () => {
    const head = HEAD.replace('}]', '}, { name: v3, version: 3, weight: 0 }]') + METRICS;
    expect(await refusalsOf('{ preset: canary }', head)).toEqual([
      'a.yaml:7:1: rollout.variant: is missing; expected the one of v2, v3 that is rolled out',
    ]);
  });

  test('an analysis with nothing to judge', async () => {
    expect((await refusalsOf('{ steps: [{ setWeight: 5 }, { analysis: {} }] }', HEAD))[0]).toBe(
      'a.yaml:6:40: rollout.steps[1].analysis: has nothing to judge; expected a metric of the experiment with role: guardrail, as ' +
        '{ name: errors, kind: proportion, source: error_rate, role: guardrail }, or metrics or webhooks of the analysis',
    );
  });
});

test('a baseline gets as large a share as the variant, and is compared with', () => {
  const head = HEAD.replace('}]', '}, { name: base, version: 1, weight: 0 }]') + METRICS;
  expect(read('{ preset: canary, baseline: base }', head)).toMatchObject({ variant: 'v2', baseline: 'base' });
});
