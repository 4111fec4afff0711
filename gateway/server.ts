import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { buildDataPlane, buildMetricsPlane } from './app.ts';
import type { Address, Config } from './config/config.ts';
import { GrpcPlane } from './faces/grpc/plane.ts';
import { Gateway } from './gateway.ts';
import { readTls } from './tls.ts';

/** The planes' addresses as they were bound, `host:port`. */
export type Bound = Readonly<Partial<Record<'http' | 'grpc' | 'metrics', string>>>;

/** A gateway that listens. */
export interface Server {
  readonly gateway: Gateway;
  readonly bound: Bound;
  /**
   * Fails readiness, answers what is in flight, and frees everything.
   *
   * @param graceMs how long calls are still taken while readiness fails, for balancers to notice
   * @returns whether all was answered before the drain deadline
   */
  stop(graceMs?: number): Promise<boolean>;
}

/**
 * Loads everything, listens, and says so once it can answer.
 *
 * @throws InvalidDocuments, Error where an address can't be bound
 */
export async function serve(config: Config, log: Logger): Promise<Server> {
  const httpTls = config.tls.http && (await readTls('http', config.tls.http));
  const grpcTls = config.tls.grpc && (await readTls('grpc', config.tls.grpc));
  const gateway = await Gateway.open(config, log);
  const planes: FastifyInstance[] = [];
  let grpc: GrpcPlane | undefined;
  const closeAll = async (): Promise<void> => {
    // The metrics last: what happens while it stops is counted too.
    const [data, ...others] = planes;
    await Promise.all([data?.close(), grpc?.close()]);
    await gateway.close();
    for (const plane of others) await plane.close();
  };
  try {
    const data = await buildDataPlane(gateway, httpTls);
    planes.push(data);
    const http = await listen(data, config.listen.http);
    if (config.listen.grpc !== undefined) grpc = await GrpcPlane.listen(gateway, config.listen.grpc, grpcTls);
    let metrics: string | undefined;
    if (config.listen.metrics !== undefined) {
      const plane = buildMetricsPlane(gateway);
      planes.push(plane);
      metrics = await listen(plane, config.listen.metrics);
    }
    warnIfOpen(config, log);
    gateway.start();
    return {
      gateway,
      bound: {
        http,
        ...(grpc !== undefined && { grpc: textOf(grpc.address) }),
        ...(metrics !== undefined && { metrics }),
      },
      async stop(graceMs = 0) {
        gateway.beginStop();
        if (graceMs > 0) await new Promise((resolve) => setTimeout(resolve, graceMs));
        return closeWithin(config.timeouts.drainMs, closeAll, () => {
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
  if (auth.keysFile !== undefined || auth.tokens !== undefined) return;
  for (const [plane, address] of Object.entries(listen)) {
    if (address === undefined || LOOPBACK.test(address.host)) continue;
    log.warn(
      { plane, host: address.host },
      'anyone who can reach this address can call it: there are no keys',
    );
  }
}

const LOOPBACK = /^(localhost|127\..*|::1)$/;

async function closeWithin(
  drainMs: number,
  closeAll: () => Promise<void>,
  hangUp: () => void,
): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<'late'>((resolve) => {
    timer = setTimeout(resolve, drainMs, 'late');
  });
  const closed = closeAll();
  const first = await Promise.race([closed, deadline]);
  clearTimeout(timer);
  if (first !== 'late') return true;
  // Whoever still waits is hung up on: that empties the queues, and lets the workers end between two runs.
  hangUp();
  return false;
}

async function listen(app: FastifyInstance, { host, port }: Address): Promise<string> {
  await app.listen({ host, port });
  return textOf(app.server.address() as AddressInfo);
}

function textOf({ address, port }: AddressInfo): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
