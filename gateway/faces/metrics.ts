import type { FastifyInstance } from 'fastify';
import { scope } from './scoped-routes.ts';
import type { Metrics } from '../telemetry/metrics.ts';

/** `GET /metrics`, on its own address. */
export function metricsRoutes(app: FastifyInstance, metrics: Metrics): void {
  app.get(
    '/metrics',
    scope('metrics', { undocumented: 'for Prometheus, whose format says what it is' }),
    async (_request, reply) => reply.type(metrics.contentType).send(await metrics.render()),
  );
}
