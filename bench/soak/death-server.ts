/**
 * The gateway, with workers that have so little heap that a large request ends them; answers every message of its parent with its
 * own figures.
 */
import { setFlagsFromString } from 'node:v8';
import { pino } from 'pino';
import { loadConfig } from '../../gateway/config/load-config.ts';
import { serve } from '../../gateway/server.ts';

/** What the server says of itself. */
export interface DeathServerFigures {
  readonly port: number;
  readonly rssMiB: number;
  /** Workers that died and were replaced. */
  readonly deaths: number;
}

/** V8 gives threads that are started from here on no more than this. */
setFlagsFromString('--max-old-space-size=32');

process.once('message', (configFile: string) => {
  void start(configFile);
});

async function start(configFile: string): Promise<void> {
  const server = await serve(await loadConfig(configFile, {}), pino({ level: 'silent' }));
  const port = Number(server.bound.http?.split(':').at(-1));
  const figures = async (): Promise<void> => {
    const text = await server.gateway.metrics.render();
    const deaths = Number(/^signalbox_worker_restarts_total\{.*\} (\d+)/m.exec(text)?.[1] ?? 0);
    const rssMiB = process.memoryUsage.rss() / 2 ** 20;
    // Who asked may be gone by now.
    if (process.connected) process.send?.({ port, rssMiB, deaths } satisfies DeathServerFigures);
  };
  process.on('message', () => void figures());
  process.once('disconnect', () => void server.stop());
  await figures();
}
