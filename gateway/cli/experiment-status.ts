import { isRecord } from './admin-client.ts';
import { planLines } from './rollout-report.ts';
import type { ToldRollout } from './rollout-report.ts';
import { percent, textTable } from './text-table.ts';

interface ToldUpstream {
  readonly url: string;
  readonly model?: string;
  readonly version?: number;
  readonly path?: string;
}

/** An experiment as the control plane describes it, as far as it is shown here. */
export interface ExperimentStatus {
  readonly key: string;
  readonly model: string;
  readonly status: string;
  readonly phase: number;
  readonly weightsVersion: number;
  readonly control: string;
  readonly winner?: string;
  readonly variants: readonly {
    readonly name: string;
    /** Left out where it lives on another server. */
    readonly version?: number;
    readonly upstream?: ToldUpstream;
    readonly weight: number;
    readonly share: number;
  }[];
  readonly wished: {
    readonly status: string;
    readonly weights: Readonly<Record<string, number>>;
    readonly winner?: string;
  };
  /** Left out where its file has none. */
  readonly rollout?: ToldRollout;
  /** Null where the gateway has never reached its state store. */
  readonly standing: {
    readonly version: number;
    readonly action: string;
    readonly reason: string;
    readonly actor: { readonly kind: string; readonly name: string; readonly address: string };
    readonly at: string;
    readonly isRecovered: boolean;
  } | null;
}

/** All experiments in one table. */
export function statusTable(experiments: readonly ExperimentStatus[]): string {
  if (experiments.length === 0) return 'no experiment is served\n';
  const rows = experiments.flatMap(({ key, model, status, phase, variants }) =>
    variants.map(({ name, version, upstream, weight, share }, index) => [
      ...(index === 0 ? [key, model, status] : ['', '', '']),
      index === 0 ? String(phase) : '',
      name,
      upstream === undefined ? String(version ?? 'elsewhere') : whereIs(upstream, model),
      String(weight),
      percent(share),
    ]),
  );
  const columns = ['experiment', 'model', 'status', 'phase', 'variant', 'version', 'weight', 'share'];
  return `${textTable(columns, rows, 5).join('\n')}\n`;
}

/** `2 at http://triton:8000`; the model is named where it has another name there. */
function whereIs({ url, model, version, path = '' }: ToldUpstream, ofExperiment: string): string {
  const named = [...(model === ofExperiment ? [] : [model]), version].filter((part) => part !== undefined);
  return named.length === 0 ? `${url}${path}` : `${named.join(' ')} at ${url}${path}`;
}

/** One experiment: what is in force, how it came to it, and what the file wishes where that is something else. */
export function statusText(experiment: ExperimentStatus): string {
  const { rollout } = experiment;
  const plan = rollout === undefined ? [] : [...planLines(rollout), ''];
  return `${[statusTable([experiment]), ...plan, ...standingLines(experiment), ...wishLines(experiment)].join('\n')}\n`;
}

function standingLines({ standing, weightsVersion }: ExperimentStatus): readonly string[] {
  if (standing === null) return ['the state store was never reached: the weights are the file’s own'];
  const { action, at, reason } = standing;
  return [
    `weights version ${weightsVersion}: ${action}, ${whoIs(standing.actor)}, ${at}`,
    `reason: ${reason}`,
    ...(standing.isRecovered
      ? ['the state store had lost this and has it again; what was counted is gone, and rollouts hold']
      : []),
  ];
}

/** What the file says, where something else is in force. */
function wishLines({ wished, status, variants, winner }: ExperimentStatus): readonly string[] {
  const isSame =
    wished.status === status &&
    wished.winner === winner &&
    variants.every(({ name, weight }) => wished.weights[name] === weight);
  if (isSame) return [];
  const weights = Object.entries(wished.weights).map(([name, weight]) => `${name} ${weight}`);
  const ending = wished.winner === undefined ? '' : `, winner ${wished.winner}`;
  return [
    `the file says: ${wished.status}, ${weights.join(', ')}${ending}; it holds again when it is edited`,
  ];
}

export function whoIs({ kind, name, address }: { kind: string; name: string; address: string }): string {
  const from = address === '' ? '' : ` from ${address}`;
  switch (kind) {
    case 'file':
      return 'by its file';
    case 'gateway':
      return 'by the gateway';
    case 'rollout':
      return 'by its rollout';
    case 'anybody':
      return `by hand${from}`;
    default:
      return `by ${name}${from}`;
  }
}

export function isExperiments(
  answer: unknown,
): answer is { readonly experiments: readonly ExperimentStatus[] } {
  return isRecord(answer) && Array.isArray(answer.experiments) && answer.experiments.every(isExperiment);
}

export function isExperiment(answer: unknown): answer is ExperimentStatus {
  return (
    isRecord(answer) &&
    typeof answer.key === 'string' &&
    Array.isArray(answer.variants) &&
    isRecord(answer.wished) &&
    'standing' in answer
  );
}
