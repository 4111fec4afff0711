import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { queryFinding, webhookFinding } from '../../../experiments/rollouts/check-findings.ts';
import type { QueryCheck } from '../../../experiments/rollouts/plan.ts';
import { askPrometheus, askWebhook, queryNames } from '../../../gateway/rollouts/analysis-checks.ts';
import { sampleExperiment } from '../../experiments/sample-experiment.ts';
import { rightClassifier } from '../../models/classifiers.ts';
import { findPrometheus, startPrometheus } from '../../servers/prometheus.ts';
import type { RunningPrometheus } from '../../servers/prometheus.ts';
import { eventually } from '../running-gateway.ts';
import { history, startRollout, stateOf, travel } from './rolled-out.ts';

const NAMES = {
  experiment: 'classes',
  model: 'classes',
  variant: 'v2',
  version: '2',
  control: 'v1',
  controlVersion: '1',
  interval: '1m',
};
const never = new AbortController().signal;
const checkOf = (address: string, query: string, range: Partial<QueryCheck['range']> = {}): QueryCheck => ({
  name: 'asked',
  address,
  query,
  range: { min: undefined, max: undefined, ...range },
  timeoutMs: 5000,
});

test('the version of a variant elsewhere is that of its own server, and empty where it chooses', () => {
  const url = 'http://127.0.0.1:9';
  const namesOf = (control: object, variant: object) => {
    const experiment = sampleExperiment({
      variants: [
        { name: 'v1', weight: 100, ...control },
        { name: 'v2', weight: 0, ...variant },
      ],
      metrics: [{ name: 'errors', kind: 'proportion', source: 'error_rate', role: 'guardrail' }],
      rollout: { preset: 'canary' },
    });
    const { rollout } = experiment;
    if (rollout === undefined) throw new Error('the experiment has a rollout');
    const { version, controlVersion } = queryNames(experiment, rollout);
    return [controlVersion, version];
  };
  expect(namesOf({ version: 1 }, { version: 2 })).toEqual(['1', '2']);
  expect(namesOf({ upstream: { url, version: 7 } }, { upstream: { url, version: 8 } })).toEqual(['7', '8']);
  expect(namesOf({ upstream: { url } }, { upstream: { url } })).toEqual(['', '']);
});

const found = await findPrometheus();
const program = found.kind === 'found' ? found.program : '';

describe.skipIf(found.kind === 'missing')('a real Prometheus', () => {
  let prometheus: RunningPrometheus;
  beforeAll(async () => {
    prometheus = await startPrometheus(program, { targets: [], ruleFiles: [] });
  });
  afterAll(() => prometheus[Symbol.asyncDispose]());

  test.each([
    ['vector(0.5)', { max: 1 }, 'pass', 'asked is 0.5'],
    ['42', { max: 1 }, 'fail', 'asked is 42, above its max of 1'],
    ['vector({{ version }}) * -1', { min: 0 }, 'fail', 'asked is -2, below its min of 0'],
    ['vector(1) / 0', { max: 1 }, 'fail', 'asked is Infinity, above its max of 1'],
    [
      'label_replace(vector(0), "a", "b", "", "") or vector(7)',
      { max: 1 },
      'fail',
      'asked is 7, above its max of 1',
    ],
    ['vector(0) / 0', { max: 1 }, 'no_data', 'the query asked has no value'],
    ['nothing{variant="{{ variant }}"}', { max: 1 }, 'no_data', 'the query asked has no value'],
  ] as const)('answers %s, held against %j: %s', async (query, range, outcome, message) => {
    const check = checkOf(prometheus.url, query, range);
    expect(queryFinding(check, await askPrometheus(check, NAMES, never))).toMatchObject({ outcome, message });
  });

  test('says what is wrong with a query, and that is no failure of the version', async () => {
    const check = checkOf(prometheus.url, 'sum(', { max: 1 });
    const finding = queryFinding(check, await askPrometheus(check, NAMES, never));
    expect(finding).toMatchObject({
      outcome: 'unhealthy',
      message: expect.stringMatching(/says: .*parse error/) as string,
    });
  });

  test('rolls a version back that it says is bad, while all guardrails pass', async () => {
    await using gateway = await startRollout({
      version2: rightClassifier(),
      rollout: {
        steps: [{ setWeight: 50 }, { pause: {} }],
        analysis: {
          metrics: [
            {
              name: 'bad',
              prometheus: { address: prometheus.url, query: 'vector(3)' },
              thresholdRange: { max: 2 },
            },
          ],
        },
      },
    });
    await eventually(() => stateOf(gateway)?.kind === 'rolled_back');
    expect((await history(gateway)).at(-1)?.reason).toBe('query: bad is 3, above its max of 2');
  });
});

test('a Prometheus that is not there makes an analysis unhealthy, and the rollout waits', async () => {
  const check = checkOf('http://127.0.0.1:1', 'up', { max: 1 });
  expect(queryFinding(check, await askPrometheus(check, NAMES, never))).toMatchObject({
    outcome: 'unhealthy',
  });
});

describe('a webhook', () => {
  const asked: unknown[] = [];
  let answer: { status: number; body: string } = { status: 200, body: '' };
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      asked.push(JSON.parse(body));
      response.writeHead(answer.status).end(answer.body);
    });
  });
  let url = '';
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/check`;
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  test.each([
    [{ status: 204, body: '' }, 'pass', 'the webhook smoke passed'],
    [{ status: 500, body: '' }, 'fail', 'the webhook smoke answered 500'],
    [
      { status: 200, body: '{"outcome":"inconclusive","message":"too few"}' },
      'inconclusive',
      'the webhook smoke says inconclusive: too few',
    ],
    [
      { status: 200, body: '{"outcome":"fine"}' },
      'unhealthy',
      'the webhook smoke said an outcome that is none; expected one of pass, fail, inconclusive, no_data, unhealthy',
    ],
  ])('that answers %j: %s', async (said, outcome, message) => {
    answer = said;
    const check = { name: 'smoke', url, timeoutMs: 5000, metadata: { team: 'vision' } };
    const finding = webhookFinding(check, await askWebhook(check, { experiment: 'classes' }, never));
    expect(finding).toMatchObject({ outcome, message });
    expect(asked.at(-1)).toEqual({ name: 'smoke', experiment: 'classes', metadata: { team: 'vision' } });
  });

  test('is asked at each analysis, and told where the rollout stands', async () => {
    answer = { status: 200, body: '' };
    asked.length = 0;
    await using gateway = await startRollout({
      version2: rightClassifier(),
      rollout: { steps: [{ setWeight: 50 }, { analysis: { webhooks: [{ name: 'smoke', url }] } }] },
    });
    const { state } = await travel(gateway);
    expect(state.kind).toBe('succeeded');
    expect(asked[0]).toMatchObject({
      experiment: 'classes',
      variant: 'v2',
      version: 2,
      weight: 50,
      state: { kind: 'progressing' },
    });
  });
});
