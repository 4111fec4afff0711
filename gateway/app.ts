import { createServer } from 'node:https';
import type { RequestListener, Server } from 'node:http';
import fastify from 'fastify';
import type { FastifyInstance } from 'fastify';
import { auditRoutes } from './faces/admin/audit.ts';
import { consoleRoutes } from './faces/admin/console.ts';
import { commandRoutes } from './faces/admin/commands.ts';
import { experimentRoutes } from './faces/admin/experiments.ts';
import { liveRoutes } from './faces/admin/live/routes.ts';
import { keyRoutes } from './faces/admin/keys.ts';
import { modelRoutes } from './faces/admin/models.ts';
import { rolloutRoutes } from './faces/admin/rollout.ts';
import { answerErrors } from './faces/error-answers.ts';
import { holdBodies } from './faces/held-bodies.ts';
import { healthRoutes } from './faces/health.ts';
import { metricsRoutes } from './faces/metrics.ts';
import { outcomeRoutes } from './faces/outcomes/routes.ts';
import { ofrepRoutes } from './faces/ofrep/routes.ts';
import { SHOWN, docsRoutes } from './faces/openapi/routes.ts';
import { predictRoutes } from './faces/predict/routes.ts';
import { admitByScope } from './faces/scoped-routes.ts';
import { torchserveInferenceRoutes } from './faces/torchserve/inference-routes.ts';
import { torchserveManagementRoutes } from './faces/torchserve/management-routes.ts';
import { torchservePing } from './faces/torchserve/ping.ts';
import { v2Routes } from './faces/v2/routes.ts';
import { hangUpOnUnused } from './faces/unused-connections.ts';
import type { Config } from './config/config.ts';
import type { Gateway } from './gateway.ts';
import type { TlsCredentials } from './tls.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** When its headers had arrived, in `performance.now()` milliseconds. */
    arrivalMs: number;
  }
}

/** The data plane's HTTP application; it listens to nothing yet. */
export async function buildDataPlane(gateway: Gateway, tls?: TlsCredentials): Promise<FastifyInstance> {
  const app = baseApp(gateway, tls);
  holdBodies(app, gateway.bodies);
  await app.register((scope) => {
    v2Routes(scope, gateway);
    healthRoutes(scope, gateway);
    torchservePing(scope, gateway);
  });
  await app.register((scope) => predictRoutes(scope, gateway));
  await app.register((scope) => torchserveInferenceRoutes(scope, gateway), { prefix: '/predictions' });
  await app.register((scope) => {
    outcomeRoutes(scope, gateway.state.outcomes);
  });
  await app.register((scope) => {
    ofrepRoutes(scope, gateway);
  });
  await app.register((scope) => docsRoutes(scope, SHOWN.data));
  return app;
}

/** The metrics plane's HTTP application. */
export function buildMetricsPlane(gateway: Gateway): FastifyInstance {
  const app = baseApp(gateway);
  metricsRoutes(app, gateway.metrics);
  return app;
}

/** The control plane's HTTP application. */
export async function buildAdminPlane(gateway: Gateway, tls?: TlsCredentials): Promise<FastifyInstance> {
  const app = baseApp(gateway, tls);
  await app.register((scope) => {
    healthRoutes(scope, gateway);
    experimentRoutes(scope, gateway);
    modelRoutes(scope, gateway);
    auditRoutes(scope, gateway);
    liveRoutes(scope, gateway);
  });
  await app.register((scope) => {
    rolloutRoutes(scope, gateway);
    commandRoutes(scope, gateway);
  });
  await app.register(consoleRoutes);
  await app.register((scope) => docsRoutes(scope, SHOWN.admin));
  await app.register(
    (scope) => {
      torchserveManagementRoutes(scope, gateway);
    },
    { prefix: '/models' },
  );
  await app.register((scope) => {
    keyRoutes(scope, gateway);
  });
  return app;
}

function baseApp({ config, log, admission }: Gateway, tls?: TlsCredentials): FastifyInstance {
  const { requestMs, headersMs, keepAliveMs } = config.timeouts;
  const app = fastify<Server>({
    // Fastify's own logging makes a child logger for every request; what is worth a line is logged by name instead.
    logger: false,
    bodyLimit: config.server.bodyLimitBytes,
    requestTimeout: requestMs,
    keepAliveTimeout: keepAliveMs,
    http: { headersTimeout: headersMs },
    ...(tls !== undefined && {
      serverFactory: (handler: RequestListener) => httpsServer(handler, tls, config.timeouts),
    }),
    // What arrives on an open connection while it stops is answered, and the connection closed after it.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 200 },
  });
  hangUpOnUnused(app, tls !== undefined);
  app.server.maxConnections = config.limits.connections;
  answerErrors(app, log);
  app.decorateRequest('arrivalMs', 0);
  app.addHook('onRequest', (request, _reply, done) => {
    request.arrivalMs = performance.now();
    done();
  });
  admitByScope(app, admission);
  return app;
}

/** What the framework would make, over TLS. */
function httpsServer(
  handler: RequestListener,
  { cert, key, ca }: TlsCredentials,
  { headersMs, requestMs, keepAliveMs }: Config['timeouts'],
): Server {
  return createServer(
    {
      cert,
      key,
      ...(ca !== undefined && { ca, requestCert: true, rejectUnauthorized: true }),
      headersTimeout: headersMs,
      requestTimeout: requestMs,
      keepAliveTimeout: keepAliveMs,
      handshakeTimeout: headersMs,
    },
    handler,
  );
}
