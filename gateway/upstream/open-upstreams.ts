import type { Logger } from 'pino';
import type { ModelRepository } from '../../backends/repository/repository.ts';
import type { Config } from '../config/config.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { Upstreams } from './upstreams.ts';

/** The variants that other servers answer for, with what happens to them counted and told. */
export function openUpstreams(
  { auth, server, timeouts }: Config,
  log: Logger,
  repository: ModelRepository,
  metrics: Metrics,
): Upstreams {
  const upstreams = new Upstreams(repository, {
    keepsCredentials: auth.keys !== undefined || auth.tokens !== undefined,
    answers: { answerBytes: server.bodyLimitBytes, takenWithinMs: timeouts.requestMs },
    events: {
      onTry: ({ experiment, variant }, result) => {
        metrics.recordUpstreamTry(experiment, variant, result);
      },
      onRetry: ({ experiment, variant }) => {
        metrics.recordUpstreamRetry(experiment, variant);
      },
      onReadiness: (name, isReady, reason, cause) => {
        if (isReady) log.info(name, "a variant's server is ready");
        else log.warn({ ...name, reason, err: cause }, "a variant's server is not ready");
      },
    },
  });
  metrics.watch({
    upstreams: () => upstreams.all().map(({ name, version: { isReady } }) => ({ ...name, isReady })),
  });
  return upstreams;
}
