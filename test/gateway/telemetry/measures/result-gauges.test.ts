import { expect, test } from 'vitest';
import { predict, MEASURED_FILES, sendOutcomes } from '../../faces/predictions.ts';
import { eventually, metricValue, startGateway } from '../../running-gateway.ts';
import { askOfEach } from '../../few-callers.ts';

interface PublishedResults {
  readonly health: { readonly srm: { readonly p: number } };
  readonly metrics: readonly {
    readonly name: string;
    readonly variant: string;
    readonly estimate: number;
    readonly control: number;
    readonly lift: number | null;
    readonly anytime: { readonly interval: readonly [number, number] | null };
  }[];
}

test('scrapes tell what the results say: the sample ratio, each variant’s value, and the lift with its interval', async () => {
  await using gateway = await startGateway({ admin: true, files: MEASURED_FILES });
  const users = Array.from({ length: 400 }, (_, user) => `user-${user}`);
  const answers = await askOfEach(users, (user) => predict(gateway, user));
  await sendOutcomes(
    gateway,
    answers.map(({ id, variant }, index) => ({
      prediction_id: id,
      metric: 'correct',
      value: Number(variant === 'v2' ? index % 10 > 0 : index % 2 > 0),
    })),
  );
  const labels = { experiment: 'digits-cnn', metric: 'correct' };
  const admin = `http://${gateway.server.bound.admin ?? ''}`;
  const answer = await fetch(`${admin}/api/experiments/digits-cnn/results`);
  const results = (await answer.json()) as PublishedResults;
  const correct = results.metrics.find(({ name, variant }) => name === 'correct' && variant === 'v2');
  if (correct === undefined || correct.lift === null || correct.anytime.interval === null)
    throw new Error('the lift is not known yet');
  let text = '';
  await eventually(async () => {
    text = await gateway.metrics();
    return metricValue(text, 'signalbox_metric_lift', { ...labels, bound: 'low' }) !== 0;
  });
  expect(metricValue(text, 'signalbox_srm_p_value', { experiment: 'digits-cnn' })).toBe(results.health.srm.p);
  const estimate = (variant: string): number =>
    metricValue(text, 'signalbox_metric_estimate', { ...labels, variant });
  expect([estimate('v1'), estimate('v2')]).toEqual([correct.control, correct.estimate]);
  const bounds = ['estimate', 'low', 'high'].map((bound) =>
    metricValue(text, 'signalbox_metric_lift', { ...labels, variant: 'v2', bound }),
  );
  expect(bounds).toEqual([correct.lift, ...correct.anytime.interval]);
  // What the gateway measures by itself is there too; the metric that nobody told of is not.
  expect(text).toMatch(/signalbox_metric_estimate\{[^}]*metric="(?!correct)/);
});
