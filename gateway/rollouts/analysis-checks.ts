import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { QueryAnswer, WebhookAnswer } from '../../experiments/rollouts/check-findings.ts';
import type { Experiment } from '../../experiments/definition.ts';
import { variantOf } from '../../experiments/rollouts/rollout-step.ts';
import type { Variant } from '../../experiments/variant.ts';
import type { QUERY_NAMES, QueryCheck, RolloutPlan, WebhookCheck } from '../../experiments/rollouts/plan.ts';
import { post } from './outside-call.ts';

/** What stands for the names that a query may name. */
export type QueryNames = Readonly<Record<(typeof QUERY_NAMES)[number], string>>;

/** The names of an experiment, its variants and their versions. */
export function queryNames(experiment: Experiment, plan: RolloutPlan): QueryNames {
  const { key, model, control } = experiment;
  return {
    experiment: key,
    model,
    variant: plan.variant,
    version: versionText(variantOf(experiment, plan)),
    control: control.name,
    controlVersion: versionText(control),
    interval: `${plan.intervalMs}ms`,
  };
}

/** Empty where another server chooses it. */
function versionText({ version, upstream }: Variant): string {
  return String(version ?? upstream.version ?? '');
}

const Sample = Type.Tuple([Type.Number(), Type.String()]);

/** Prometheus' answer to an instant query: https://prometheus.io/docs/prometheus/latest/querying/api/ */
const QueryResponse = Type.Union([
  Type.Object({
    status: Type.Literal('success'),
    data: Type.Union([
      Type.Object({ resultType: Type.Literal('scalar'), result: Sample }),
      Type.Object({ resultType: Type.Literal('vector'), result: Type.Array(Type.Object({ value: Sample })) }),
    ]),
  }),
  Type.Object({ status: Type.Literal('error'), error: Type.String() }),
]);

/** Asks a Prometheus, or whoever speaks its API; never throws. */
export async function askPrometheus(
  { address, query, timeoutMs }: QueryCheck,
  names: QueryNames,
  signal: AbortSignal,
): Promise<QueryAnswer> {
  const failed = (reason: string): QueryAnswer => ({ kind: 'failed', reason });
  const expression = query.replaceAll(/\{\{\s*(\w+)\s*\}\}/g, (text, name: string) =>
    Object.hasOwn(names, name) ? names[name as keyof QueryNames] : text,
  );
  try {
    const form = new URLSearchParams({ query: expression }).toString();
    const type = 'application/x-www-form-urlencoded';
    const { status, text } = await post(`${address}/api/v1/query`, type, form, timeoutMs, signal);
    const answer = parseJson(text);
    if (!Value.Check(QueryResponse, answer)) {
      return failed(`${address} answered ${status} with what is no value of an instant query`);
    }
    if (answer.status === 'error') return failed(`${address} says: ${answer.error.slice(0, 500)}`);
    const { data } = answer;
    const samples = data.resultType === 'scalar' ? [data.result] : data.result.map(({ value }) => value);
    return { kind: 'values', values: samples.map(([, value]) => numberOf(value)) };
  } catch (error) {
    return failed(`${address}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Go writes infinities with a sign and as `Inf`. */
function numberOf(text: string): number {
  return text.endsWith('Inf') ? (text.startsWith('-') ? -Infinity : Infinity) : Number(text);
}

/** Asks a webhook what it says of a rollout; never throws. */
export async function askWebhook(
  { name, url, timeoutMs, metadata }: WebhookCheck,
  rollout: object,
  signal: AbortSignal,
): Promise<WebhookAnswer> {
  try {
    const body = JSON.stringify({ name, ...rollout, metadata });
    const { status, text } = await post(url, 'application/json', body, timeoutMs, signal);
    const said = parseJson(text);
    const isMap = typeof said === 'object' && said !== null;
    const outcome = isMap && 'outcome' in said ? said.outcome : undefined;
    const message = isMap && 'message' in said && typeof said.message === 'string' ? said.message : '';
    return { kind: 'answered', status, outcome, message: message.slice(0, 500) };
  } catch (error) {
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) };
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
