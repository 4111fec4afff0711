import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, ListenOptions, Server as SocketServer } from 'node:net';
import { BACKLOG } from '../../backlog.ts';
import { Server, ServerCredentials, logVerbosity, setLogVerbosity } from '@grpc/grpc-js';
import type { Address } from '../../config/config.ts';
import type { Gateway } from '../../gateway.ts';
import type { TlsCredentials } from '../../tls.ts';
import { CallAdmission } from './call-admission.ts';
import { HEALTH, INFERENCE, REFLECTIONS } from './definitions.ts';
import { healthService } from './health.ts';
import { holdMessages } from './held-messages.ts';
import { connectionInjector } from './long-deadlines.ts';
import type { ConnectionInjector } from './long-deadlines.ts';
import { inferenceService } from './inference-service.ts';
import { methodAccess } from './method-access.ts';
import { OpenStreams } from './open-streams.ts';
import { reflectionService } from './reflection.ts';

/** What a message may have beside a body of the largest size: its names, shapes and parameters. */
const HEAD_BYTES = 64 * 1024;

/** Bytes that a connection may have under way: with HTTP/2's own 64 KiB a large tensor waits for an answer every few packets. */
const WINDOW_BYTES = 4 * 1024 * 1024;

/** Calls that one connection may have under way at once: each may have a message of the largest size half received. */
const MOST_CALLS = 256;

/** A caller whose machine is gone is found out by pings at this distance, and given that long to answer one. */
const PING_EVERY_MS = 60_000;
const PING_TIMEOUT_MS = 20_000;

/** The data plane over gRPC. It listens on sockets of its own, and hands each connection to gRPC. */
export class GrpcPlane {
  readonly #server: Server;
  readonly #sockets: readonly SocketServer[];
  readonly #open: OpenStreams;
  /** What takes new connections. */
  readonly #entry: { connections: ConnectionInjector };

  /**
   * @param descriptors of sockets that are bound already; none: the address is bound
   * @throws Error where the address can't be bound
   */
  static async listen(
    gateway: Gateway,
    { host, port }: Address,
    tls?: TlsCredentials,
    descriptors: readonly number[] = [],
  ): Promise<GrpcPlane> {
    const open = new OpenStreams();
    const server = grpcServer(gateway, open);
    const entry = { connections: connectionInjector(server, credentialsOf(tls)) };
    const accept = async (options: ListenOptions): Promise<SocketServer> => {
      const socketServer = createServer({ noDelay: true }, (socket) => {
        entry.connections.injectConnection(socket);
      });
      socketServer.maxConnections = gateway.config.limits.connections;
      socketServer.listen({ ...options, backlog: BACKLOG });
      await once(socketServer, 'listening');
      return socketServer;
    };
    const places = descriptors.length > 0 ? descriptors.map((fd) => ({ fd })) : [{ host, port }];
    return new GrpcPlane(server, await Promise.all(places.map(accept)), open, entry);
  }

  private constructor(
    server: Server,
    sockets: readonly SocketServer[],
    open: OpenStreams,
    entry: { connections: ConnectionInjector },
  ) {
    this.#entry = entry;
    this.#server = server;
    this.#sockets = sockets;
    this.#open = open;
  }

  /** Where it listens. */
  get address(): AddressInfo {
    return this.#sockets[0]?.address() as AddressInfo;
  }

  /** Shows another certificate to whoever connects from now on. */
  useCertificate(tls: TlsCredentials): void {
    this.#entry.connections = connectionInjector(this.#server, credentialsOf(tls));
  }

  /** Takes no new connections or calls, and answers what is in flight. */
  async close(): Promise<void> {
    for (const sockets of this.#sockets) sockets.close();
    this.#open.stop();
    await new Promise((resolve) => {
      this.#server.tryShutdown(resolve);
    });
  }

  /** Hangs up on everybody who still waits. */
  closeAllConnections(): void {
    this.#server.forceShutdown();
  }
}

function credentialsOf(tls: TlsCredentials | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const { cert, key, ca } = tls;
  return ServerCredentials.createSsl(ca ?? null, [{ cert_chain: cert, private_key: key }], ca !== undefined);
}

function grpcServer(gateway: Gateway, open: OpenStreams): Server {
  // What the library writes to stderr is no JSON, and has callers' credentials in it: every header that it can't read.
  setLogVerbosity(logVerbosity.NONE);
  const calls = new CallAdmission(gateway, methodAccess());
  const server = new Server({
    interceptors: [holdMessages(gateway), calls.interceptor],
    'grpc.max_receive_message_length': gateway.config.server.bodyLimitBytes + HEAD_BYTES,
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': MOST_CALLS,
    'grpc.keepalive_time_ms': PING_EVERY_MS,
    'grpc.keepalive_timeout_ms': PING_TIMEOUT_MS,
    'grpc.max_connection_idle_ms': gateway.config.timeouts.keepAliveMs,
    'grpc-node.flow_control_window': WINDOW_BYTES,
    // Its registry of calls and sockets would be kept for nobody.
    'grpc.enable_channelz': 0,
  });
  server.addService(INFERENCE.service, inferenceService(gateway, calls, open));
  server.addService(HEALTH.service, healthService(gateway, open));
  const reflection = reflectionService([INFERENCE, HEALTH, ...REFLECTIONS], open);
  for (const { service } of REFLECTIONS) server.addService(service, reflection);
  return server;
}
