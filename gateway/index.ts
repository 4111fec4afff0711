/**
 * Signalbox inside another program.
 *
 * ```ts
 * import { createGateway } from 'signalbox';
 *
 * const gateway = await createGateway({ config: './signalbox.yaml' });
 * console.log(gateway.bound.http); // 127.0.0.1:8000
 * await gateway.stop();
 * ```
 *
 * @module
 */
import type { Logger } from 'pino';
import { requireRuntimePlatform } from '../backends/onnx/runtime-platform.ts';
import { loadConfig } from './config/load-config.ts';
import { serve } from './server.ts';
import type { Bound } from './server.ts';
import { openLog } from './telemetry/log-sink.ts';

export { InvalidDocuments } from '../documents/problem.ts';
export type { Problem } from '../documents/problem.ts';
export type { Bound } from './server.ts';

export interface GatewayOptions {
  /** The path of a `signalbox.yaml`. */
  readonly config: string;
  /** What `${NAME}` in the file stands for, as `process.env`; left out: nothing is set. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Left out: JSON lines on stderr, at the configured level. */
  readonly log?: Logger;
}

/** A gateway that listens in this process. */
export interface EmbeddedGateway {
  /** The planes that are on, as `host:port`, with their real ports. */
  readonly bound: Bound;
  /** Whether a balancer should send traffic. */
  readonly isReady: boolean;
  /**
   * Fails readiness, answers what is in flight, and frees every worker.
   *
   * @param graceMs how long calls are still taken while readiness fails; default 0
   * @returns whether all was answered before `timeouts.drain`
   */
  stop(graceMs?: number): Promise<boolean>;
}

/**
 * Loads a configuration with its models and experiments, and listens.
 *
 * @throws InvalidDocuments with everything that is wrong in the files; Error where an address can't be bound, or models can't run on this platform
 */
export async function createGateway({ config, environment, log }: GatewayOptions): Promise<EmbeddedGateway> {
  requireRuntimePlatform();
  const loaded = await loadConfig(config, environment ?? {});
  const server = await serve(loaded, log ?? openLog(loaded), {
    environment: environment ?? {},
  });
  return {
    bound: server.bound,
    get isReady() {
      return server.gateway.readiness.isReady;
    },
    stop: (graceMs) => server.stop(graceMs),
  };
}
