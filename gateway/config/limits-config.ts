import type { LimitsConfig } from '../limits/limits.ts';
import { parseRate } from '../limits/rate.ts';
import type { Rate } from '../limits/rate.ts';
import type { SheddingConfig } from '../overload/load-shedder.ts';
import { millisecondsOf } from './duration.ts';
import type { Refuse } from './refuse.ts';
import type { ConfigText } from './schema.ts';
import { bytesOf } from './size.ts';

/** What callers may have, and what the process takes at all. */
export interface GatewayLimits extends LimitsConfig {
  readonly imagePixels: number;
  /** `redis`: all replicas share them, in the Redis of the state. */
  readonly store: 'memory' | 'redis';
  readonly shedding: SheddingConfig;
  /** That a plane has open at once. */
  readonly connections: number;
}

type LimitsText = NonNullable<ConfigText['limits']>;

/** What the rest of the file says that limits depend on. */
export interface LimitsSurroundings {
  readonly isStateInRedis: boolean;
  readonly bodyLimitBytes: number;
  /** How long an answer may take. */
  readonly inferenceMs: number;
}

export function readLimits(
  file: LimitsText,
  surroundings: LimitsSurroundings,
  refuse: Refuse,
): GatewayLimits {
  if (file.store === 'redis' && !surroundings.isStateInRedis)
    refuse(['limits', 'store'], 'is redis, and the state is not; expected a state in Redis', ['state']);
  return {
    imagePixels: file.imagePixels ?? 64_000_000,
    store: file.store ?? 'memory',
    cost: file.cost ?? 'rows',
    address: {
      rate: rateOf(file.addressRate),
      concurrency: file.addressConcurrency,
      daily: file.addressDaily,
    },
    key: { rate: rateOf(file.keyRate), concurrency: file.keyConcurrency, daily: file.keyDaily },
    models: ratesOf(file.models),
    experiments: ratesOf(file.experiments),
    connections: file.connections ?? 16_384,
    shedding: readShedding(file.shedding ?? {}, surroundings, refuse),
  };
}

function readShedding(
  file: NonNullable<LimitsText['shedding']>,
  { bodyLimitBytes, inferenceMs }: LimitsSurroundings,
  refuse: Refuse,
): SheddingConfig {
  const bodyBytes = file.bodies === undefined ? Math.max(1024 ** 3, bodyLimitBytes) : bytesOf(file.bodies);
  if (bodyBytes < bodyLimitBytes)
    refuse(['limits', 'shedding', 'bodies'], `is ${file.bodies ?? ''}, less than server.bodyLimit`, [
      'server',
      'bodyLimit',
    ]);
  return {
    // Half of the time that an answer may take: what waits longer hardly has a chance.
    waitMs: file.wait === undefined ? inferenceMs / 2 : millisecondsOf(file.wait),
    eventLoopDelayMs: millisecondsOf(file.eventLoopDelay ?? '1s'),
    heapShare: (file.heapPercent ?? 90) / 100,
    bodyBytes,
  };
}

/** Undefined: there is no limit. */
export function rateOf(text: string | undefined): Rate | undefined {
  return text === undefined ? undefined : parseRate(text);
}

function ratesOf(file: Readonly<Record<string, string>> = {}): ReadonlyMap<string, Rate> {
  return new Map(
    Object.entries(file).flatMap(([name, text]) => {
      const rate = parseRate(text);
      return rate === undefined ? [] : [[name, rate]];
    }),
  );
}
