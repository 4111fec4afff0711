import type { FastifyInstance } from 'fastify';
import { outcomeOf } from '../pipeline/outcome-of.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { fromFrameworkError } from './framework-error.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Whether it is counted by whoever refused it, or by the pipeline when it ends. */
    isCounted: boolean;
  }
}

/** Counts the inference calls of an application that are refused before anybody else counts them: their head or their body can't be read. */
export function countRefusedCalls(app: FastifyInstance, metrics: Pick<Metrics, 'recordRefusal'>): void {
  app.decorateRequest('isCounted', false);
  app.addHook('onError', (request, _reply, error, done) => {
    if (request.routeOptions.config.spends === 'rows' && !request.isCounted) {
      request.isCounted = true;
      metrics.recordRefusal(outcomeOf(fromFrameworkError(error)), 'http');
    }
    done();
  });
}
