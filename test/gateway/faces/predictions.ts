import { identityModel } from '../../models/onnx-graph.ts';
import { experimentFile } from '../running-gateway.ts';
import type { GatewayFiles, RunningGateway } from '../running-gateway.ts';

const BODY = JSON.stringify({ inputs: [{ name: 'INPUT', shape: [1, 1], datatype: 'FP32', data: [1] }] });

/** Two versions and an experiment with a metric of its own. */
export const MEASURED_FILES: NonNullable<GatewayFiles['files']> = {
  'models/digits/1/model.onnx': identityModel('FP32', ['batch', 1]),
  'models/digits/2/model.onnx': identityModel('FP32', ['batch', 1]),
  'experiments/digits.yaml': experimentFile({
    variants: [
      { name: 'v1', version: 1, weight: 50 },
      { name: 'v2', version: 2, weight: 50 },
    ],
    metrics: [
      { name: 'correct', kind: 'proportion', role: 'goal' },
      { name: 'revenue', kind: 'mean', window: '24h' },
    ],
  }),
};

export interface Predicted {
  readonly status: number;
  readonly id: string;
  /** `v1`, `v2`, or empty. */
  readonly variant: string;
  readonly reason: string;
}

/** Sends one request, by a user or without one. */
export async function predict(
  gateway: RunningGateway,
  user?: string,
  { path = '/v2/models/digits/infer', headers = {}, body = BODY } = {},
): Promise<Predicted> {
  const response = await fetch(gateway.url(path), {
    method: 'POST',
    body,
    headers: { ...(user !== undefined && { 'x-user-id': user }), ...headers },
  });
  await response.arrayBuffer();
  const header = (name: string): string => response.headers.get(name) ?? '';
  return {
    status: response.status,
    id: header('x-prediction-id'),
    variant: header('x-experiment').split('=')[1] ?? '',
    reason: header('x-experiment-reason'),
  };
}

export interface OutcomesAnswer {
  readonly status: number;
  readonly body: unknown;
}

export async function sendOutcomes(gateway: RunningGateway, outcomes: unknown): Promise<OutcomesAnswer> {
  const response = await fetch(gateway.url('/v1/outcomes'), {
    method: 'POST',
    body: typeof outcomes === 'string' ? outcomes : JSON.stringify(outcomes),
  });
  return { status: response.status, body: await response.json() };
}

/** The current sums of the experiment of {@link MEASURED_FILES}. */
export async function tallies(gateway: RunningGateway, nowMs = Date.now()) {
  await gateway.server.gateway.state.exposures.flush();
  return gateway.server.gateway.state.store.tallies(
    'digits-cnn',
    1,
    [
      { name: 'correct', kind: 'proportion' },
      { name: 'revenue', kind: 'mean', windowMs: 24 * 3_600_000 },
    ],
    nowMs,
  );
}
