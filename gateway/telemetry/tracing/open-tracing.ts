import type { Logger } from 'pino';
import type { Config } from '../../config/config.ts';
import { countAndTell } from '../drops.ts';
import type { Metrics } from '../metrics.ts';
import type { Tracing } from './tracing.ts';

/** Undefined: the configuration asks for no traces. */
export async function openTracing(
  { tracing }: Pick<Config, 'tracing'>,
  metrics: Metrics,
  log: Logger,
): Promise<Tracing | undefined> {
  if (tracing === undefined) return undefined;
  // Only who traces pays for the packages that do.
  const { Tracing } = await import('./tracing.ts');
  const onDrop = countAndTell(metrics, log);
  return new Tracing({
    ...tracing,
    onDrop: (count, reason) => {
      onDrop('traces', count, reason);
    },
  });
}
