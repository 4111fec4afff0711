import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { metricValue, startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';
import { MEASURED_FILES, predict, sendOutcomes, tallies } from './predictions.ts';

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway({ files: MEASURED_FILES });
});
afterAll(() => gateway[Symbol.asyncDispose]());

test('every answer of an inference has a prediction id of its own', async () => {
  const answers = await Promise.all([
    predict(gateway, 'ada'),
    predict(gateway, 'ada'),
    predict(gateway),
    predict(gateway, 'ada', { path: '/v2/models/digits/versions/1/infer' }),
    predict(gateway, 'ada', { headers: { 'x-experiment': 'v2' } }),
  ]);
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  for (const { id } of answers) expect(id).toMatch(/^[A-Za-z0-9_-]{70,}$/);
  expect(new Set(answers.map(({ id }) => id)).size).toBe(5);
  expect(answers.some(({ id }) => Buffer.from(id, 'base64url').includes('ada'))).toBe(false);
});

test('an outcome is counted for the unit and the variant of its prediction, and told in the metrics', async () => {
  const before = await tallies(gateway);
  const { id, variant } = await predict(gateway, 'grace');
  const sent = await sendOutcomes(gateway, { prediction_id: id, metric: 'correct', value: 1 });
  expect(sent).toEqual({ status: 202, body: { accepted: 1, rejected: [] } });
  const unitsOf = (from: typeof before) => from.epochs[0]?.variants[variant]?.metrics.correct;
  const after = await tallies(gateway);
  expect(unitsOf(after)?.units).toBe((unitsOf(before)?.units ?? 0) + 1);
  expect(unitsOf(after)?.sumX).toBe((unitsOf(before)?.sumX ?? 0) + 1);
  const labels = { experiment: 'digits-cnn', variant, metric: 'correct' };
  expect(metricValue(await gateway.metrics(), 'signalbox_outcomes_total', labels)).toBeGreaterThan(0);
});

test('a list is judged one by one, each refusal with its place, its code and what would be right', async () => {
  const good = await predict(gateway, 'hedy');
  const forced = await predict(gateway, 'hedy', { headers: { 'x-experiment': 'v2' } });
  const pinned = await predict(gateway, 'hedy', { path: '/v2/models/digits/versions/1/infer' });
  const forged = `${good.id.slice(0, -3)}AAA`;
  const of = (prediction_id: string, metric: string, value: unknown) => ({ prediction_id, metric, value });
  const { status, body } = await sendOutcomes(gateway, [
    of(good.id, 'correct', true),
    of(good.id, 'correct', true),
    of(forged, 'correct', 1),
    of('made up', 'correct', 1),
    of(good.id, 'clicks', 1),
    of(good.id, 'correct', 0.5),
    of(good.id, 'revenue', 'a lot'),
    of(forced.id, 'correct', 1),
    of(pinned.id, 'correct', 1),
    of(good.id, 'revenue', 12.5),
  ]);
  expect(status).toBe(202);
  expect(body).toMatchObject({
    accepted: 2,
    rejected: [
      { index: 1, code: 'duplicate' },
      { index: 2, code: 'bad_signature' },
      { index: 3, code: 'bad_signature' },
      { index: 4, code: 'unknown_metric', message: expect.stringContaining('correct, revenue') as string },
      { index: 5, code: 'bad_value', message: expect.stringContaining('0, 1, false or true') as string },
      { index: 6, code: 'bad_value' },
      {
        index: 7,
        code: 'not_counted',
        message: expect.stringMatching(
          /was forced, given to all, or answered for one that could not$/,
        ) as string,
      },
      { index: 8, code: 'not_counted', message: expect.stringContaining('no experiment') as string },
    ],
  });
  expect(
    metricValue(await gateway.metrics(), 'signalbox_outcomes_rejected_total', { code: 'bad_signature' }),
  ).toBe(2);
});

test('what is malformed in a list is refused by itself, and the others are taken', async () => {
  const { id: predictionId } = await predict(gateway, 'grace');
  const { status, body } = await sendOutcomes(gateway, [
    { prediction_id: 'x', metric: 'correct' },
    { prediction_id: predictionId, metric: 'correct', value: 1 },
    { prediction_id: 'x', metric: 'correct', value: [1] },
    { prediction_id: 'x', metric: 'correct', value: 1, at: 3 },
    3,
  ]);
  expect(status).toBe(202);
  const refused = (index: number, message: RegExp) => ({
    index,
    code: 'bad_value',
    message: expect.stringMatching(message) as string,
  });
  expect(body).toEqual({
    accepted: 1,
    rejected: [
      refused(0, /must have required properties .*; expected \{"prediction_id"/),
      refused(2, /^value must /),
      refused(3, /must not have additional properties/),
      refused(4, /must be object/),
    ],
  });
});

describe('a body that is none of outcomes is refused whole, and counts nothing', () => {
  test.each([
    ['no JSON', '{', 'the body is no JSON'],
    ['nothing', '', 'the body is no JSON'],
    ['a number', '3', 'expected {"prediction_id"'],
    ['an outcome without a metric', { prediction_id: 'x', value: 1 }, 'must have required properties'],
    [
      'a value that is a list',
      { prediction_id: 'x', metric: 'y', value: [1] },
      'the body is no outcome: value must be a number, true, false or {"numerator": number, "denominator": number};',
    ],
    [
      'a fraction without its denominator',
      { prediction_id: 'x', metric: 'y', value: { numerator: 1, denominator: null } },
      'true, false or {"numerator": number, "denominator": number};',
    ],
    ['too many', Array(1001).fill({ prediction_id: 'x', metric: 'y', value: 1 }), 'at most 1000'],
  ])('%s', async (_, sent, message) => {
    const { status, body } = await sendOutcomes(gateway, sent);
    expect(status).toBe(400);
    expect(body).toEqual({ error: expect.stringContaining(message) as string });
  });

  test('a body over its limit', async () => {
    const { status } = await sendOutcomes(gateway, ' '.repeat(1024 ** 2 + 1));
    expect(status).toBe(413);
  });
});

test('units enter with their first request, and requests without a unit count apart', async () => {
  await using own = await startGateway({ files: MEASURED_FILES });
  const users = Array.from({ length: 40 }, (_, user) => `user-${user}`);
  const answers = await Promise.all([...users, ...users].map((user) => predict(own, user)));
  await Promise.all([predict(own), predict(own), predict(own)]);
  await predict(own, 'user-1', { headers: { 'x-experiment': 'v2' } });
  await predict(own, 'user-1', { path: '/v2/models/digits/versions/1/infer' });
  const sums = await tallies(own);
  expect(sums.epochs).toHaveLength(1);
  const variants = Object.values(sums.epochs[0]?.variants ?? {});
  const total = (of: (variant: (typeof variants)[number]) => number): number =>
    variants.reduce((sum, variant) => sum + of(variant), 0);
  expect(total(({ units }) => units)).toBe(40);
  expect(total(({ requests }) => requests)).toBe(83);
  expect(total(({ unitlessRequests }) => unitlessRequests)).toBe(3);
  expect(total(({ uncounted }) => uncounted.override ?? 0)).toBe(1);
  expect(total(({ metrics }) => metrics.error_rate?.units ?? 0)).toBe(40);
  const v1Users = new Set(users.filter((_, user) => answers[user]?.variant === 'v1'));
  expect(sums.epochs[0]?.variants.v1?.units).toBe(v1Users.size);
  const { metrics: ofV1 } = sums.epochs[0]?.variants.v1 ?? {};
  expect(ofV1?.latency?.sumX).toBeGreaterThanOrEqual(ofV1?.compute?.sumX ?? Infinity);
  const exposed = metricValue(await own.metrics(), 'signalbox_exposures_total');
  expect(exposed).toBe(83);
});

test('what the caller did wrong says nothing of a variant', async () => {
  await using own = await startGateway({ files: MEASURED_FILES });
  const bad = await predict(own, 'ada', { body: '{"inputs": []}' });
  expect(bad.status).toBe(400);
  const { epochs } = await tallies(own);
  const [variant] = Object.values(epochs[0]?.variants ?? {});
  expect(variant).toMatchObject({ units: 1, requests: 1, errors: 0 });
  expect(variant?.metrics.error_rate).toBeUndefined();
});
