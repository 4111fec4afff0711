/** The gateway of the swap soak, in a process of its own: it loads its model again whenever it is told to. */
import { pino } from 'pino';
import { loadConfig } from '../../gateway/config/load-config.ts';
import { serve } from '../../gateway/server.ts';
import type { FromSwapServer, ToSwapServer } from './swap-messages.ts';

const [file = 'signalbox.yaml'] = process.argv.slice(2);
const server = await serve(await loadConfig(file, {}), pino({ level: 'warn' }, pino.destination(2)));
const { repository } = server.gateway;

const tell = (message: FromSwapServer): void => {
  // The soak may have been stopped half-way.
  if (process.connected) process.send?.(message);
};

async function swap(): Promise<void> {
  try {
    await repository.load('soak');
    while (repository.index().some(({ state }) => state !== 'READY')) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    // Without what V8 has not collected yet, which comes and goes with the load.
    globalThis.gc?.();
    tell({ kind: 'swapped', rssBytes: process.memoryUsage.rss() });
  } catch (error) {
    tell({ kind: 'failed', reason: String(error) });
  }
}

process.on('message', (message: ToSwapServer) => {
  if (message === 'swap') void swap();
  else process.disconnect();
});
process.once('disconnect', () => void server.stop());
tell({ kind: 'ready', port: Number(server.bound.http?.split(':').at(-1)) });
