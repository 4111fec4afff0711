import type { Logger } from 'pino';
import type { ModelRepository } from '../../backends/repository/repository.ts';
import type { DecisionContext } from '../../experiments/decision.ts';
import type { Config } from '../config/config.ts';
import type { Door } from '../door.ts';
import type { Mirrors } from '../mirror/mirrors.ts';
import type { Rollouts } from '../rollouts/rollouts.ts';
import type { StandingBook } from '../standing/standing-book.ts';
import type { GatewayState } from '../state/state.ts';
import type { StickyUnits } from '../sticky/sticky-units.ts';
import { AccessLog } from '../telemetry/access-log.ts';
import { faultFields } from '../telemetry/fault-fields.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Tracing } from '../telemetry/tracing/tracing.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import { Pipeline } from './pipeline.ts';
import { PredictionLog } from './prediction-log.ts';
import { Router } from './route.ts';

export interface PipelineParts {
  readonly config: Pick<Config, 'accessLogShare' | 'timeouts'>;
  readonly log: Logger;
  readonly repository: ModelRepository;
  readonly experiments: Pick<StandingBook, 'current'>;
  readonly upstreams: Upstreams;
  readonly metrics: Metrics;
  readonly state: Pick<GatewayState, 'store' | 'ids' | 'exposures'>;
  readonly door: Pick<Door, 'limits' | 'shedder'>;
  readonly deciding: DecisionContext;
  readonly sticky: StickyUnits;
  readonly mirrors: Mirrors;
  readonly rollouts: Pick<Rollouts, 'answered'>;
  readonly tracing: Tracing | undefined;
}

/** The pipeline over what this process has. */
export function openPipeline(parts: PipelineParts): Pipeline {
  const { config, log, repository, experiments, upstreams, metrics, state, door } = parts;
  const { deciding, sticky, mirrors, rollouts, tracing } = parts;
  return new Pipeline({
    tracing,
    accessLog: config.accessLogShare > 0 ? new AccessLog(log, config.accessLogShare, Math.random) : undefined,
    sticky,
    router: new Router(repository, () => experiments.current, deciding, upstreams),
    metrics,
    limits: door.limits,
    shedder: door.shedder,
    predictions: new PredictionLog(state.ids, state.exposures, () => state.store.nowMs()),
    mirrors,
    inferenceTimeoutMs: config.timeouts.inferenceMs,
    onFault: (error, failed) => {
      log.error(faultFields(error, failed), error.message);
    },
    onEnd: (ended) => {
      rollouts.answered(ended);
    },
  });
}
