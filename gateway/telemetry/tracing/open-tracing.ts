import type { Logger } from 'pino';
import type { Config } from '../../config/config.ts';
import { countAndTell } from '../drops.ts';
import type { Metrics } from '../metrics.ts';
import { Tracing } from './tracing.ts';

/** Undefined: the configuration asks for no traces. */
export function openTracing(
  { tracing }: Pick<Config, 'tracing'>,
  metrics: Metrics,
  log: Logger,
): Tracing | undefined {
  if (tracing === undefined) return undefined;
  const onDrop = countAndTell(metrics, log);
  return new Tracing({
    ...tracing,
    onDrop: (count, reason) => {
      onDrop('traces', count, reason);
    },
  });
}
