import type { Logger } from 'pino';
import type { ModelRepository } from '../backends/repository/repository.ts';
import type { DecisionContext } from '../experiments/decision.ts';
import type { Audit } from './audit/audit.ts';
import type { ModelChanges } from './audit/model-changes.ts';
import type { Config } from './config/config.ts';
import type { Door } from './door.ts';
import type { Pipeline } from './pipeline/pipeline.ts';
import type { Readiness } from './readiness.ts';
import type { Results } from './results/results.ts';
import type { Rollouts } from './rollouts/rollouts.ts';
import type { Control } from './standing/control.ts';
import type { StandingBook } from './standing/standing-book.ts';
import type { GatewayState } from './state/state.ts';
import type { StickyUnits } from './sticky/sticky-units.ts';
import type { Metrics } from './telemetry/metrics.ts';
import type { Upstreams } from './upstream/upstreams.ts';

/** What the faces share: the models, the experiments, and the one pipeline in front of them. */
export interface Gateway {
  readonly config: Config;
  readonly log: Logger;
  readonly repository: ModelRepository;
  /** The experiments in force, and where each stands. */
  readonly experiments: StandingBook;
  /** What people do to experiments by hand. */
  readonly control: Control;
  /** Where else it is written what was done. */
  readonly audit: Pick<Audit, 'write'>;
  /** What calls do to models. */
  readonly modelChanges: ModelChanges;
  /** The variants that live on other servers. */
  readonly upstreams: Upstreams;
  readonly metrics: Metrics;
  /** What calls pass before they are routed. */
  readonly door: Door;
  readonly state: GatewayState;
  readonly pipeline: Pipeline;
  /** What experiments say, and how that came about. */
  readonly results: Results;
  readonly rollouts: Rollouts;
  /** Where units of sticky experiments landed. */
  readonly sticky: StickyUnits;
  /** What decisions need beside the experiments and the caller. */
  readonly deciding: DecisionContext;
  readonly readiness: Readiness;

  /** The model of a call that names none: the configured one, or the only one there is. */
  defaultModel(): string | undefined;
  /** Starts to watch the folders, and says that it is ready. */
  start(): void;
  /** Puts what can be changed while it runs in force: limits, and the log's level. */
  apply(config: Config): void;
  /** From now on readiness fails; calls are still answered. */
  beginStop(): void;
  /** Answers what is in flight and frees every worker. */
  close(): Promise<void>;
}
