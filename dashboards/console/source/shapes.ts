/** What the control plane answers, as far as the console shows it; docs/results.md and docs/control.md tell the whole. */
import type { PublishedResults } from '../../../experiments/results/experiment-results.ts';
import type { MirrorResult } from '../../../experiments/results/mirror-results.ts';
import type { RolloutState, RolloutTarget } from '../../../experiments/rollouts/state.ts';
import type { ThresholdResult } from '../../../experiments/results/threshold-results.ts';
import type { Results } from '../../../experiments/statistics/analysis/results.ts';

export type {
  Health,
  KnownInterval,
  MetricResult,
  Verdict,
} from '../../../experiments/statistics/analysis/results.ts';
export type { MirrorResult } from '../../../experiments/results/mirror-results.ts';
export type { ThresholdResult } from '../../../experiments/results/threshold-results.ts';

export type Status = 'running' | 'paused' | 'completed';

/** The server elsewhere that answers for a variant. */
export interface UpstreamShape {
  readonly url: string;
  readonly protocol: string;
  readonly model?: string;
  readonly version?: number;
  readonly path?: string;
}

export interface VariantShape {
  readonly name: string;
  readonly version?: number;
  readonly upstream?: UpstreamShape;
  readonly weight: number;
  /** 0 to 1, as it is in force. */
  readonly share: number;
}

export interface Actor {
  readonly kind: string;
  readonly id: string;
  readonly name: string;
  readonly address: string;
}

export interface StandingShape {
  readonly version: number;
  readonly action: string;
  readonly reason: string;
  readonly actor: Actor;
  /** ISO 8601. */
  readonly at: string;
  readonly isRecovered: boolean;
  readonly rollout: unknown;
}

export interface ExperimentShape {
  readonly key: string;
  readonly model: string;
  readonly status: Status;
  readonly phase: number;
  readonly phaseName?: string;
  readonly coverage: number;
  readonly control: string;
  readonly winner?: string;
  readonly variants: readonly VariantShape[];
  readonly metrics: readonly {
    readonly name: string;
    readonly kind: string;
    readonly role: string;
    readonly direction: 'increase' | 'decrease';
  }[];
  readonly wished: { readonly status: string; readonly weights: Readonly<Record<string, number>> };
  /** Null where the state store was never asked. */
  readonly standing: StandingShape | null;
  /** The plan, and where it stands; undefined: it has no rollout. */
  readonly rollout?: RolloutShape;
}

export type { Hold } from '../../../experiments/rollouts/state.ts';

export type RolloutStep =
  | { readonly kind: 'setWeight'; readonly weight: number }
  | { readonly kind: 'pause'; readonly durationMs: number | null }
  | { readonly kind: 'analysis'; readonly count: number }
  | { readonly kind: 'match'; readonly rules: number }
  | { readonly kind: 'setMirrorRoute'; readonly percentage: number };

export interface RolloutShape {
  readonly target: RolloutTarget;
  readonly state: RolloutState;
  /** Of the variant, in percent. */
  readonly weight: number;
  readonly steps: readonly RolloutStep[];
  readonly intervalMs: number;
  readonly minUnits: number;
  readonly failureLimit: number;
  readonly autoPromote: boolean;
}

/** A line of the overview: the experiment, and what it said last. */
export interface OverviewShape extends ExperimentShape {
  /** Undefined until it was looked at. */
  readonly reading?: Pick<Results, 'verdict' | 'decision'> & {
    readonly sampleRatio: { readonly p: number; readonly ok: boolean };
    readonly variants: readonly {
      readonly name: string;
      readonly units: number;
      readonly exposures: number;
    }[];
  };
}

export interface ResultsShape extends Results {
  readonly health: PublishedResults['health'];
  readonly builtIn: Results['metrics'];
  readonly thresholds: readonly ThresholdResult[];
  readonly leftOut: readonly { readonly metric: string; readonly reason: string }[];
  readonly mirrors: readonly MirrorResult[];
}

/** What an experiment said at a moment. */
export interface PointShape {
  readonly atMs: number;
  readonly verdict: string;
  readonly sampleRatioP: number;
  readonly variants: Readonly<
    Record<string, { readonly share: number; readonly units: number; readonly requests: number }>
  >;
  readonly intervals: Readonly<Record<string, readonly [number | null, number | null, number | null]>>;
}

export interface ModelShape {
  readonly name: string;
  readonly versions: readonly {
    readonly version: number;
    readonly state: string;
    readonly reason: string;
    readonly digest?: string;
    readonly platform?: string;
    readonly instances?: { readonly ready: number; readonly hung: number; readonly wanted: number };
    readonly queued?: number;
    readonly batching?: {
      readonly enabled: boolean;
      readonly maxBatchSize: number;
      readonly preferredBatchSizes: readonly number[];
      readonly maxQueueDelayMs: number;
      readonly priorityLevels: number;
      readonly targetLatencyMs?: number;
    };
    readonly statistics?: {
      readonly answered: number;
      readonly failed: number;
      readonly rows: number;
      readonly runs: number;
      readonly totalMs: number;
      readonly queueMs: number;
      readonly computeMs: number;
      readonly runsByRows: readonly { readonly rows: number; readonly runs: number }[];
    };
  }[];
}

export interface Hello {
  readonly release: string;
  readonly beatMs: number;
  readonly store: 'memory' | 'sqlite' | 'redis';
  readonly caller: {
    readonly id: string;
    readonly isOpen: boolean;
    readonly scopes: readonly string[];
    readonly models: readonly string[] | null;
  };
}

interface AuditedShape {
  readonly sequence: number;
  readonly action: string;
  readonly actor: Actor;
  readonly at: string;
}

/** A change of an experiment. */
export interface ExperimentChange extends AuditedShape {
  readonly kind: 'experiment';
  readonly reason: string;
  readonly experiment: string;
  readonly phase: number;
  readonly before: AuditedState | null;
  readonly after: AuditedState;
}

export interface KeyChange extends AuditedShape {
  readonly kind: 'key';
  readonly key: string;
  readonly before: AuditedKey | null;
  readonly after: AuditedKey | null;
}

export interface ModelChange extends AuditedShape {
  readonly kind: 'model';
  readonly model: string;
  readonly before: { readonly versions: readonly AuditedVersion[] };
  readonly after: { readonly versions: readonly AuditedVersion[] };
  readonly fault?: string;
}

export interface SettingsChange extends AuditedShape {
  readonly kind: 'settings';
  readonly before: { readonly level: string };
  readonly after: { readonly level: string };
}

/** What a newer gateway, or an old one, wrote in a form that isn't known here. */
export interface UnknownChange extends Partial<AuditedShape> {
  readonly sequence: number;
  readonly kind?: undefined;
}

export type AuditShape = ExperimentChange | KeyChange | ModelChange | SettingsChange | UnknownChange;

export interface AuditedKey {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  /** Null: all. */
  readonly models: readonly string[] | null;
  readonly expires: string | null;
}

export interface AuditedVersion {
  readonly version: number;
  readonly state: string;
  readonly instances: number | null;
  readonly digest?: string;
}

export interface AuditedState {
  readonly version: number;
  readonly status: string;
  readonly weights: Readonly<Record<string, number>>;
  readonly winner: string;
}

export interface AuditPage {
  /** Oldest first. */
  readonly entries: readonly AuditShape[];
  readonly previous: number | null;
  /** To be sent as `after` for what was done later. */
  readonly next: number;
}
