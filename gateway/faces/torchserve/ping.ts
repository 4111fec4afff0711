import type { FastifyInstance } from 'fastify';
import type { Gateway } from '../../gateway.ts';
import { scope } from '../scoped-routes.ts';
import { PING_DOCS } from './docs.ts';

/** TorchServe's health check: `Healthy`, or a 503 with `Unhealthy` while it can't answer. */
export function torchservePing(app: FastifyInstance, gateway: Gateway): void {
  app.get('/ping', scope('open', PING_DOCS), (_request, reply) => {
    const { isReady } = gateway.readiness;
    return reply.code(isReady ? 200 : 503).send({ status: isReady ? 'Healthy' : 'Unhealthy' });
  });
}
