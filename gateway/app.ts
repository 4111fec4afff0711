import fastify from 'fastify';
import type { FastifyInstance } from 'fastify';
import { answerErrors } from './faces/error-answers.ts';
import { healthRoutes } from './faces/health.ts';
import { metricsRoutes } from './faces/metrics.ts';
import { outcomeRoutes } from './faces/outcomes/routes.ts';
import { ofrepRoutes } from './faces/ofrep/routes.ts';
import { predictRoutes } from './faces/predict/routes.ts';
import { v2Routes } from './faces/v2/routes.ts';
import type { Gateway } from './gateway.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** When its headers had arrived, in `performance.now()` milliseconds. */
    arrivalMs: number;
  }
}

/** The data plane's HTTP application; it listens to nothing yet. */
export async function buildDataPlane(gateway: Gateway): Promise<FastifyInstance> {
  const app = baseApp(gateway);
  app.decorateRequest('arrivalMs', 0);
  app.addHook('onRequest', (request, _reply, done) => {
    request.arrivalMs = performance.now();
    done();
  });
  await app.register((scope) => {
    v2Routes(scope, gateway);
    healthRoutes(scope, gateway);
  });
  await app.register((scope) => predictRoutes(scope, gateway));
  await app.register((scope) => {
    outcomeRoutes(scope, gateway.state.outcomes);
  });
  await app.register((scope) => {
    ofrepRoutes(scope, gateway);
  });
  return app;
}

/** The metrics plane's HTTP application. */
export function buildMetricsPlane(gateway: Gateway): FastifyInstance {
  const app = baseApp(gateway);
  metricsRoutes(app, gateway.metrics);
  return app;
}

function baseApp({ config, log }: Gateway): FastifyInstance {
  const { requestMs, headersMs, keepAliveMs } = config.timeouts;
  const app = fastify({
    // Fastify's own logging makes a child logger for every request; what is worth a line is logged by name instead.
    logger: false,
    bodyLimit: config.server.bodyLimitBytes,
    requestTimeout: requestMs,
    keepAliveTimeout: keepAliveMs,
    http: { headersTimeout: headersMs },
    // What arrives on an open connection while it stops is answered, and the connection closed after it.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 200 },
  });
  answerErrors(app, log);
  return app;
}
