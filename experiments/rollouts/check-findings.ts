import { figure } from './figure.ts';
import type { Finding } from './judgement.ts';
import type { QueryCheck, WebhookCheck } from './plan.ts';

/** What a Prometheus answered: a value for each series, or why there is no answer. */
export type QueryAnswer =
  | { readonly kind: 'values'; readonly values: readonly number[] }
  | { readonly kind: 'failed'; readonly reason: string };

/** What a webhook answered, or why there is no answer. */
export type WebhookAnswer =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly outcome: unknown;
      readonly message: string;
    }
  | { readonly kind: 'failed'; readonly reason: string };

/** Holds the answer to a query against its range: all values have to be in it. */
export function queryFinding({ name, range }: QueryCheck, answer: QueryAnswer): Finding {
  const finding = (outcome: Finding['outcome'], message: string): Finding => ({
    source: 'query',
    name,
    outcome,
    message,
  });
  if (answer.kind === 'failed')
    return finding('unhealthy', `the query ${name} could not be asked: ${answer.reason}`);
  const values = answer.values.filter((value) => !Number.isNaN(value));
  if (values.length === 0) return finding('no_data', `the query ${name} has no value`);
  const { min = -Infinity, max = Infinity } = range;
  const outside = values.find((value) => value < min || value > max);
  if (outside === undefined) return finding('pass', `${name} is ${values.map(figure).join(', ')}`);
  const side = outside < min ? `below its min of ${figure(min)}` : `above its max of ${figure(max)}`;
  return finding('fail', `${name} is ${figure(outside)}, ${side}`);
}

const SAID_OUTCOMES = ['pass', 'fail', 'inconclusive', 'no_data', 'unhealthy'] as const;

/** A status 2xx passes unless the body says otherwise, any other fails. */
export function webhookFinding({ name }: WebhookCheck, answer: WebhookAnswer): Finding {
  const finding = (outcome: Finding['outcome'], message: string): Finding => ({
    source: 'webhook',
    name,
    outcome,
    message,
  });
  if (answer.kind === 'failed')
    return finding('unhealthy', `the webhook ${name} could not be asked: ${answer.reason}`);
  const { status, outcome, message } = answer;
  const words = message === '' ? '' : `: ${message}`;
  if (status < 200 || status > 299) return finding('fail', `the webhook ${name} answered ${status}${words}`);
  if (outcome === undefined) return finding('pass', `the webhook ${name} passed${words}`);
  const said = SAID_OUTCOMES.find((known) => known === outcome);
  return said === undefined
    ? finding(
        'unhealthy',
        `the webhook ${name} said an outcome that is none; expected one of ${SAID_OUTCOMES.join(', ')}`,
      )
    : finding(said, `the webhook ${name} says ${said}${words}`);
}
