import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { buildAdminPlane, buildDataPlane, buildMetricsPlane } from './app.ts';
import { createServer } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import { BACKLOG } from './backlog.ts';
import type { Address, Config } from './config/config.ts';
import type { GrpcPlane } from './faces/grpc/plane.ts';
import type { Gateway } from './gateway.ts';
import { openGateway } from './open-gateway.ts';
import type { Environment } from './config/interpolate.ts';
import { Certificates } from './reload/certificates.ts';
import { ConfigFile } from './reload/config-file.ts';
import { readTls } from './tls.ts';
import type { TlsCredentials } from './tls.ts';
import type { GatewayOptions } from './open-gateway.ts';

/** The planes' addresses as they were bound, `host:port`. */
export type Bound = Readonly<Partial<Record<'http' | 'grpc' | 'metrics' | 'admin', string>>>;

/** A plane's name in the configuration. */
export type Plane = keyof Config['listen'];

/** File descriptors of bound sockets by plane: one, or two where a name has an IPv4 and an IPv6 address. */
export type Sockets = Readonly<Partial<Record<Plane, readonly number[]>>>;

/** A gateway that listens. */
export interface Server {
  readonly gateway: Gateway;
  readonly bound: Bound;
  /**
   * Fails readiness, answers what is in flight, and frees everything.
   *
   * @param graceMs how long calls are still taken while readiness fails, for balancers to notice
   * @param drainMs how long what is in flight has to be answered; left out: as the configuration says
   * @returns whether all was answered before the drain deadline
   */
  stop(graceMs?: number, drainMs?: number): Promise<boolean>;
  /** Reads the configuration's file and the certificates again; what is wrong with them is told in the log, and changes nothing. */
  reload(): Promise<void>;
}

export interface ServeOptions extends GatewayOptions {
  /** Sockets that are bound already, by plane; a plane that isn't here is bound to its configured address. */
  readonly sockets?: Sockets;
  /** What `${NAME}` stands for when the configuration is read again; left out: its file is not followed. */
  readonly environment?: Environment;
  /** Told of a configuration that was put in force while it ran. */
  readonly onReload?: (config: Config) => void;
}

/**
 * Loads everything, listens, and says so once it can answer.
 *
 * @throws InvalidDocuments, Error where an address can't be bound
 */
export async function serve(config: Config, log: Logger, options: ServeOptions = {}): Promise<Server> {
  const { sockets = {}, environment, onReload, lastGood, onGood } = options;
  const tlsOf = async (plane: keyof Config['tls']): Promise<TlsCredentials | undefined> => {
    const files = config.tls[plane];
    if (files === undefined) return undefined;
    const before = lastGood?.certificates?.[plane];
    const read = readTls(plane, files);
    return before === undefined ? read : read.catch(() => before);
  };
  const [httpTls, grpcTls, adminTls] = [await tlsOf('http'), await tlsOf('grpc'), await tlsOf('admin')];
  onGood?.({
    certificates: {
      ...(httpTls && { http: httpTls }),
      ...(grpcTls && { grpc: grpcTls }),
      ...(adminTls && { admin: adminTls }),
    },
  });
  const gateway = await openGateway(config, log, options);
  const planes: FastifyInstance[] = [];
  const certificates = new Certificates(
    log,
    (result) => {
      gateway.metrics.recordReload(result);
    },
    (inForce) => {
      onGood?.({ certificates: inForce });
    },
  );
  gateway.metrics.watch({ certificates: () => certificates.expiries() });
  const followHttps = (
    plane: 'http' | 'admin',
    app: FastifyInstance,
    tls: TlsCredentials | undefined,
  ): void => {
    const files = config.tls[plane];
    const { server } = app;
    if (files === undefined || tls === undefined || !(server instanceof TlsServer)) return;
    certificates.watch(plane, files, tls, (credentials) => {
      server.setSecureContext(credentials);
    });
  };
  const configFile =
    environment &&
    new ConfigFile({
      config,
      environment,
      log,
      apply: (next) => {
        gateway.apply(next);
        onReload?.(next);
      },
      onReload: (result) => {
        gateway.metrics.recordReload(result);
      },
    });
  let metricsPlane: FastifyInstance | undefined;
  let grpc: GrpcPlane | undefined;
  const closeAll = async (): Promise<void> => {
    await Promise.all([certificates.stop(), configFile?.stop()]);
    // The metrics last: what happens while it stops is counted too.
    const others = planes.filter((plane) => plane !== metricsPlane);
    await Promise.all([...others.map((plane) => plane.close()), grpc?.close()]);
    await gateway.close();
    await metricsPlane?.close();
  };
  try {
    const data = await buildDataPlane(gateway, httpTls);
    planes.push(data);
    followHttps('http', data, httpTls);
    const http = await listen(data, config.listen.http, sockets.http);
    if (config.listen.grpc !== undefined) {
      // Only who speaks gRPC pays for the packages that do.
      const { GrpcPlane } = await import('./faces/grpc/plane.ts');
      const plane = await GrpcPlane.listen(gateway, config.listen.grpc, grpcTls, sockets.grpc);
      grpc = plane;
      if (config.tls.grpc !== undefined && grpcTls !== undefined) {
        certificates.watch('grpc', config.tls.grpc, grpcTls, (credentials) => {
          plane.useCertificate(credentials);
        });
      }
    }
    let metrics: string | undefined;
    if (config.listen.metrics !== undefined) {
      metricsPlane = buildMetricsPlane(gateway);
      planes.push(metricsPlane);
      metrics = await listen(metricsPlane, config.listen.metrics, sockets.metrics);
    }
    let admin: string | undefined;
    if (config.listen.admin !== undefined) {
      const plane = await buildAdminPlane(gateway, adminTls);
      planes.push(plane);
      followHttps('admin', plane, adminTls);
      admin = await listen(plane, config.listen.admin, sockets.admin);
    }
    warnIfOpen(config, log);
    gateway.start();
    certificates.start();
    await configFile?.start();
    return {
      gateway,
      bound: {
        http,
        ...(grpc !== undefined && { grpc: textOf(grpc.address) }),
        ...(metrics !== undefined && { metrics }),
        ...(admin !== undefined && { admin }),
      },
      async reload() {
        await Promise.all([configFile?.reload(), certificates.look().then(() => certificates.look())]);
      },
      async stop(graceMs = 0, drainMs = config.timeouts.drainMs) {
        gateway.beginStop();
        if (graceMs > 0) await new Promise((resolve) => setTimeout(resolve, graceMs));
        return closeWithin(drainMs, planes, closeAll, () => {
          for (const plane of planes) plane.server.closeAllConnections();
          grpc?.closeAllConnections();
        });
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** Without keys, an address is all that keeps strangers out. */
function warnIfOpen({ listen, auth }: Config, log: Logger): void {
  if (auth.keys !== undefined || auth.tokens !== undefined) return;
  for (const [plane, address] of Object.entries(listen)) {
    if (address === undefined || LOOPBACK.test(address.host)) continue;
    log.warn(
      { plane, host: address.host },
      'anyone who can reach this address can call it: there are no keys',
    );
  }
}

const LOOPBACK = /^(localhost|127\..*|::1)$/;

const SWEEP_EVERY_MS = 50;

async function closeWithin(
  drainMs: number,
  planes: readonly FastifyInstance[],
  closeAll: () => Promise<void>,
  hangUp: () => void,
): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<'late'>((resolve) => {
    timer = setTimeout(resolve, drainMs, 'late');
  });
  const closed = closeAll();
  // A call that was under way when the listeners closed leaves its connection open behind it, and who called need not close it.
  const sweep = setInterval(() => {
    for (const plane of planes) plane.server.closeIdleConnections();
  }, SWEEP_EVERY_MS);
  const first = await Promise.race([closed, deadline]);
  clearTimeout(timer);
  clearInterval(sweep);
  if (first !== 'late') return true;
  // Whoever still waits is hung up on: that empties the queues, and lets the workers end between two runs.
  hangUp();
  return false;
}

function textOf({ address, port }: AddressInfo): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

async function listen(
  app: FastifyInstance,
  { host, port }: Address,
  sockets: readonly number[] = [],
): Promise<string> {
  const [first, ...others] = sockets;
  if (first === undefined) await app.listen({ host, port, backlog: BACKLOG });
  // Fastify binds both addresses of `localhost` itself, unless it is given another name beside the socket.
  else await app.listen(Object.assign({ host: '', backlog: BACKLOG }, { fd: first }));
  await Promise.all(others.map((fd) => acceptToo(app, fd)));
  return textOf(app.server.address() as AddressInfo);
}

/** Takes the connections of a further socket into an application that listens. */
async function acceptToo(app: FastifyInstance, fd: number): Promise<void> {
  const further = createServer((socket) => app.server.emit('connection', socket));
  await new Promise<void>((resolve, reject) => {
    further.once('error', reject);
    further.listen({ fd, backlog: BACKLOG }, resolve);
  });
  app.addHook('preClose', (done) => {
    further.close();
    done();
  });
}
