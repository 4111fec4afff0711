import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { pino } from 'pino';
import { loadConfig } from '../config/config.ts';
import { serve } from '../server.ts';
import type { Bound, Server } from '../server.ts';
import { renderDemoHints } from './demo-hints.ts';

/** The configuration of the demo: two trained versions of one model, and a 90/10 experiment. */
export const DEMO_CONFIG = fileURLToPath(new URL('../../demo/signalbox.yaml', import.meta.url));

export function serveCommand(): Command {
  return new Command('serve')
    .description('serve a configuration until SIGTERM or SIGINT')
    .option('-c, --config <file>', 'the configuration', 'signalbox.yaml')
    .option('--demo', 'serve the demo, unless a configuration is named')
    .action(async (options: { config: string; demo?: true }, command: Command) => {
      const named = command.getOptionValueSource('config') === 'cli';
      if (options.demo === true && !named) await serveDemo();
      else await serveUntilSignal(options.config);
    });
}

export async function serveDemo(): Promise<void> {
  const { bound } = await serveUntilSignal(DEMO_CONFIG);
  process.stderr.write(await renderDemoHints(bound));
}

/** Serves until the process is told to stop; then leaves by an empty loop, with exit code 0 when all was answered. */
async function serveUntilSignal(file: string): Promise<Server> {
  const config = await loadConfig(file, process.env);
  // The workers log to stderr too, so nothing is buffered that a crash could lose.
  const log = pino({ level: config.logLevel }, pino.destination({ dest: 2, sync: true }));
  const server = await serve(config, log);
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    // Ctrl-C comes from a person, who waits for it; SIGTERM from something that a balancer may stand behind.
    const graceMs = signal === 'SIGTERM' ? config.timeouts.graceMs : 0;
    void server.stop(graceMs).then((clean) => {
      if (clean) return;
      log.error('the drain deadline has passed with calls unanswered');
      process.exitCode = 1;
      // A run that never ends would keep the process for ever.
      setTimeout(() => process.exit(1), 1000).unref();
    });
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.stdout.write(`ready ${describe(server.bound)} pid=${process.pid}\n`);
  return server;
}

function describe(bound: Bound): string {
  return Object.entries(bound)
    .map(([plane, address]) => `${plane}=${address}`)
    .join(' ');
}
