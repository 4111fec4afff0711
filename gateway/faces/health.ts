import type { FastifyInstance } from 'fastify';
import { HEALTH_DOCS } from './health-docs.ts';
import { scope } from './scoped-routes.ts';
import type { Gateway } from '../gateway.ts';

/** Plain health, for balancers that know no inference protocol. */
export function healthRoutes(app: FastifyInstance, gateway: Gateway): void {
  app.get('/health', scope('open', HEALTH_DOCS), (_request, reply) => {
    const status = gateway.readiness.isReady ? 'healthy' : 'unhealthy';
    return reply
      .code(gateway.readiness.isReady ? 200 : 503)
      .send({ status, model: gateway.defaultModel() ?? null });
  });
}
