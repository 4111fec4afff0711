import type { FastifyInstance } from 'fastify';
import { CONTENT_TYPES } from '../telemetry/exposition/format.ts';
import { negotiate } from '../telemetry/exposition/negotiate.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { scope } from './scoped-routes.ts';

/** `GET /metrics`, on its own address. */
export function metricsRoutes(app: FastifyInstance, metrics: Metrics): void {
  app.get(
    '/metrics',
    scope('metrics', { undocumented: 'for Prometheus, whose format says what it is' }),
    async (request, reply) => {
      const format = negotiate(request.headers.accept);
      return reply
        .type(CONTENT_TYPES[format])
        .header('vary', 'accept')
        .send(await metrics.render(format));
    },
  );
}
