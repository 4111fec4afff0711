import { drivenRollout } from '../../../experiments/rollouts/rollout-step.ts';
import { trafficOf } from '../../../experiments/rollouts/state.ts';
import type { RolloutState } from '../../../experiments/rollouts/state.ts';
import { CLASSES, rightClassifier } from '../../models/classifiers.ts';
import { startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';

const KEY = 'classes';

/** Guardrails of everything that the faults of these tests show in. */
const METRICS = [
  { name: 'errors', kind: 'proportion', source: 'error_rate', role: 'guardrail' },
  { name: 'compute', kind: 'quantile', quantile: 0.5, source: 'compute', role: 'guardrail' },
  { name: 'correct', kind: 'proportion', role: 'guardrail' },
];

export interface RolledOut {
  /** What version 2 is. */
  readonly version2: Uint8Array;
  /** The experiment's `rollout`. */
  readonly rollout: object;
  /** Further keys of the experiment. */
  readonly experiment?: object;
  /** Lines of signalbox.yaml. */
  readonly config?: string;
  /** Further files, or others in the place of these. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly admin?: true;
  readonly grpc?: true;
}

/** A gateway whose version 1 answers rightly, and whose version 2 is rolled out. */
export function startRollout({
  version2,
  rollout,
  experiment = {},
  config,
  files = {},
  admin,
  grpc,
}: RolledOut): Promise<RunningGateway> {
  return startGateway({
    config: config ?? 'state: sqlite:./state.db\n',
    ...(admin !== undefined && { admin }),
    ...(grpc !== undefined && { grpc }),
    files: {
      'models/classes/1/model.onnx': rightClassifier(),
      'models/classes/2/model.onnx': version2,
      'experiments/classes.yaml': JSON.stringify({
        key: KEY,
        model: 'classes',
        status: 'running',
        control: 'v1',
        variants: [
          { name: 'v1', version: 1, weight: 100 },
          { name: 'v2', version: 2, weight: 0 },
        ],
        metrics: METRICS,
        guardrails: [{ metric: 'compute', maximumHarm: 2 }],
        rollout: { interval: '100ms', minUnits: 40, ...rollout },
        ...experiment,
      }),
      ...files,
    },
  });
}

/** Where the rollout stands; undefined before it is known. */
export function stateOf({ server }: RunningGateway): RolloutState | undefined {
  const situation = server.gateway.experiments.situation(KEY);
  return situation && drivenRollout(situation)?.record?.state;
}

export interface Travelled {
  readonly state: RolloutState;
  /** The variant's share in percent, each time that it changed. */
  readonly weights: readonly number[];
  readonly requests: number;
  /** Requests that the variant answered, and of those the ones that met its fault. */
  readonly metVariant: number;
  /** From the first request that version 2 got to the moment at which it gets none, in milliseconds. */
  readonly ms: number;
}

/**
 * Sends requests of ever new users, with the outcome whether the answer was right, until the rollout is over or as many were sent.
 *
 * @param options.side how many requests are under way together
 */
export async function travel(
  gateway: RunningGateway,
  {
    most = 30_000,
    atOnce = 16,
    until = isEnded,
  }: { most?: number; atOnce?: number; until?: (state: RolloutState) => boolean } = {},
): Promise<Travelled> {
  const weights: number[] = [];
  const { experiments } = gateway.server.gateway;
  const note = (): void => {
    const situation = experiments.situation(KEY);
    const driven = situation && drivenRollout(situation);
    if (driven?.record === undefined) return;
    const { weight } = trafficOf(driven.plan, driven.record.state);
    if (weights.at(-1) !== weight) weights.push(weight);
  };
  note();
  const unwatch = experiments.onChange(note);
  let [requests, metVariant] = [0, 0];
  let firstMs: number | undefined;
  let endMs = 0;
  const isOver = (): boolean => {
    const state = stateOf(gateway);
    return requests >= most || (state !== undefined && until(state));
  };
  const call = async (): Promise<void> => {
    while (!isOver()) {
      const user = requests++;
      const wanted = user % CLASSES;
      const answer = await classify(gateway, `user-${user}`, wanted);
      // An answer that failed is none of version 1's, and names no variant.
      if (answer.variant === 'v2' || answer.status !== 200) {
        metVariant += 1;
        firstMs ??= performance.now();
      }
      endMs = performance.now();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, call));
  unwatch();
  const state = stateOf(gateway);
  if (state === undefined) throw new Error('there is no rollout');
  return { state, weights, requests, metVariant, ms: endMs - (firstMs ?? endMs) };
}

function isEnded({ kind }: RolloutState): boolean {
  return kind === 'succeeded' || kind === 'rolled_back' || kind === 'aborted';
}

/** One request, whose outcome is sent where it was answered. */
export async function classify(
  gateway: RunningGateway,
  user: string,
  wanted: number,
): Promise<{ readonly variant: string; readonly status: number }> {
  const data = Array.from({ length: CLASSES }, (_, index) => (index === wanted ? 1 : 0));
  const response = await fetch(gateway.url('/v2/models/classes/infer'), {
    method: 'POST',
    headers: { 'x-user-id': user },
    body: JSON.stringify({ inputs: [{ name: 'SCORES', shape: [1, CLASSES], datatype: 'FP32', data }] }),
  });
  const answer = (await response.json()) as {
    readonly outputs?: readonly [{ readonly data: readonly number[] }];
  };
  const variant = response.headers.get('x-experiment')?.split('=')[1] ?? '';
  const scores = answer.outputs?.[0].data;
  if (scores !== undefined) {
    const said = scores.indexOf(Math.max(...scores));
    const outcome = {
      prediction_id: response.headers.get('x-prediction-id') ?? '',
      metric: 'correct',
      value: said === wanted ? 1 : 0,
    };
    await fetch(gateway.url('/v1/outcomes'), { method: 'POST', body: JSON.stringify(outcome) });
  }
  return { variant, status: response.status };
}

/** The steps of the rollout as the audit log has them: what each was, and why. */
export async function history({
  server,
}: RunningGateway): Promise<readonly { readonly action: string; readonly reason: string }[]> {
  const entries = await server.gateway.state.store.readAudit(0, 1000);
  return entries
    .map(
      ({ entry }) =>
        entry as { action: string; reason: string; after: { rollout: { state: RolloutState } | null } },
    )
    .filter(({ action }) => action.startsWith('rollout.'));
}
