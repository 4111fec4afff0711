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
import { edgeAnswerHeaders } from './faces/edge/answer-headers.ts';
import { answerClientError } from './faces/edge/client-errors.ts';
import { dropGoneCallers } from './faces/edge/gone-callers.ts';
import { dropConnectionHeaders } from './faces/edge/http2-answers.ts';
import { screenRequests } from './faces/edge/screen-requests.ts';
import {
  CHECK_CONNECTIONS_EVERY_MS,
  idleMs,
  receiveWithinMs,
  secureServer,
} from './faces/edge/secure-server.ts';
import { cutOffSlowReaders } from './faces/edge/slow-readers.ts';
import { answerErrors } from './faces/error-answers.ts';
import { holdBodies } from './faces/held-bodies.ts';
import { healthRoutes } from './faces/health.ts';
import { metricsRoutes } from './faces/metrics.ts';
import { outcomeRoutes } from './faces/outcomes/routes.ts';
import { ofrepRoutes } from './faces/ofrep/routes.ts';
import { SHOWN, docsRoutes } from './faces/openapi/routes.ts';
import { countRefusedCalls } from './faces/refused-calls.ts';
import { predictRoutes } from './faces/predict/routes.ts';
import { admitByScope } from './faces/scoped-routes.ts';
import { torchserveError } from './faces/torchserve/errors.ts';
import { torchserveInferenceRoutes } from './faces/torchserve/inference-routes.ts';
import { torchserveManagementRoutes } from './faces/torchserve/management-routes.ts';
import { torchservePing } from './faces/torchserve/ping.ts';
import { v2Routes } from './faces/v2/routes.ts';
import { LONGEST_PART, answerUnreadablePath } from './faces/unreadable-paths.ts';
import { hangUpOnUnused } from './faces/unused-connections.ts';
import type { Gateway } from './gateway.ts';
import type { TlsCredentials } from './tls.ts';

/** Where TorchServe's names stand on each plane. */
const TORCHSERVE_PREFIX = { data: '/predictions', control: '/models' } as const;

/** The data plane's HTTP application; it listens to nothing yet. */
export async function buildDataPlane(gateway: Gateway, tls?: TlsCredentials): Promise<FastifyInstance> {
  const app = baseApp(gateway, 'data', tls);
  holdBodies(app, gateway);
  await app.register(async (scope) => {
    await v2Routes(scope, gateway);
    healthRoutes(scope, gateway);
    torchservePing(scope, gateway);
  });
  await app.register((scope) => predictRoutes(scope, gateway));
  await app.register((scope) => torchserveInferenceRoutes(scope, gateway), {
    prefix: TORCHSERVE_PREFIX.data,
  });
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
  const app = baseApp(gateway, 'data');
  metricsRoutes(app, gateway.metrics);
  return app;
}

/** The control plane's HTTP application. */
export async function buildAdminPlane(gateway: Gateway, tls?: TlsCredentials): Promise<FastifyInstance> {
  const app = baseApp(gateway, 'control', tls);
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
    { prefix: TORCHSERVE_PREFIX.control },
  );
  await app.register((scope) => {
    keyRoutes(scope, gateway);
  });
  return app;
}

function baseApp(gateway: Gateway, kind: 'data' | 'control', tls?: TlsCredentials): FastifyInstance {
  const { config, log, door } = gateway;
  const { timeouts } = config;
  const answerHeaders = edgeAnswerHeaders(kind, tls !== undefined);
  const app = fastify<Server>({
    // Fastify's own logging makes a child logger for every request; what is worth a line is logged by name instead.
    logger: false,
    bodyLimit: config.server.bodyLimitBytes,
    requestTimeout: receiveWithinMs(timeouts),
    keepAliveTimeout: timeouts.keepAliveMs,
    connectionTimeout: idleMs(timeouts),
    http: {
      headersTimeout: timeouts.headersMs,
      connectionsCheckingInterval: CHECK_CONNECTIONS_EVERY_MS,
      // Its absence is answered as every other error.
      requireHostHeader: false,
    },
    ...(tls !== undefined && {
      serverFactory: (handler: RequestListener) => secureServer(handler, tls, timeouts, kind === 'data'),
    }),
    clientErrorHandler: answerClientError,
    // What arrives on an open connection while it stops is answered, and the connection closed after it.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: LONGEST_PART },
    frameworkErrors: answerUnreadablePath(answerHeaders, (error, path) =>
      path.startsWith(`${TORCHSERVE_PREFIX[kind]}/`) ? torchserveError(error) : { error: error.message },
    ),
  });
  hangUpOnUnused(app, tls !== undefined);
  app.server.maxConnections = config.limits.connections;
  answerErrors(app, log);
  countRefusedCalls(app, gateway.metrics);
  screenRequests(app, gateway, answerHeaders);
  cutOffSlowReaders(app, timeouts.requestMs);
  dropGoneCallers(app, () => {
    gateway.metrics.recordRefusal('cancelled', 'http');
  });
  if (tls !== undefined && kind === 'data') dropConnectionHeaders(app);
  admitByScope(app, door.admission);
  return app;
}
