import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import type { Logger } from 'pino';
import { requireRuntimePlatform } from '../../backends/onnx/runtime-platform.ts';
import { loadConfig } from '../config/load-config.ts';
import type { Config } from '../config/config.ts';
import type { Bound } from '../server.ts';
import { ServiceManager } from '../supervisor/service-manager.ts';
import { withAllElse } from '../config/start-problems.ts';
import { openLog } from '../telemetry/log-sink.ts';
import { renderDemoHints } from './demo-hints.ts';

/** The configuration of the demo: two trained versions of one model, and a 90/10 experiment. */
export const DEMO_CONFIG = fileURLToPath(new URL('../../demo/signalbox.yaml', import.meta.url));

export function serveCommand(): Command {
  return new Command('serve')
    .description('serve a configuration until SIGTERM or SIGINT')
    .option('-c, --config <file>', 'the configuration', 'signalbox.yaml')
    .option('--demo', 'serve the demo, unless a configuration is named')
    .option('--no-supervisor', 'serve in this one process: after a crash nobody starts it again')
    .action(async (options: { config: string; demo?: true; supervisor: boolean }, command: Command) => {
      const named = command.getOptionValueSource('config') === 'cli';
      if (options.demo === true && !named) await serveDemo(options.supervisor);
      else await serveUntilSignal(options.config, options.supervisor);
    });
}

export async function serveDemo(supervised = true): Promise<void> {
  const bound = await serveUntilSignal(DEMO_CONFIG, supervised);
  if (bound !== undefined) process.stderr.write(await renderDemoHints(bound));
}

/**
 * Serves until the process is told to stop; then it ends with exit code 0 when all was answered.
 *
 * @returns nothing where it was told to stop before it could serve
 */
async function serveUntilSignal(file: string, supervised: boolean): Promise<Bound | undefined> {
  requireRuntimePlatform();
  const config = await loadConfig(file, process.env);
  const log = openLog(config);
  const hasSupervisor = supervised && process.platform !== 'win32';
  if (supervised && !hasSupervisor) {
    log.warn('sockets can not be handed over on Windows: it serves without a supervisor');
  }
  const manager = ServiceManager.of(process.env, log);
  const bound = await (
    hasSupervisor ? serveSupervised(config, log, manager) : serveAlone(config, log, manager)
  ).catch(async (error: unknown) => {
    throw await withAllElse(error, config);
  });
  if (bound !== undefined) process.stdout.write(`ready ${describe(bound)} pid=${process.pid}\n`);
  return bound;
}

async function serveSupervised(
  config: Config,
  log: Logger,
  manager: ServiceManager | undefined,
): Promise<Bound | undefined> {
  const { Supervisor } = await import('../supervisor/supervisor.ts');
  const supervisor = await Supervisor.start(config, log, { ...process.env });
  onStopSignal(config, log, (graceMs) => {
    void manager?.stopping();
    supervisor.stop(graceMs);
  });
  onReloadSignal(manager, () => supervisor.reload());
  void supervisor.ended.then((code) => {
    process.exitCode = code;
  });
  const bound = await supervisor.ready.catch(async (error: unknown) => {
    // Until then it holds the addresses, and nobody could tell whether they are free.
    await supervisor.ended;
    throw error;
  });
  if (bound !== undefined) manager?.ready(describe(bound), () => supervisor.isAlive());
  return bound;
}

async function serveAlone(config: Config, log: Logger, manager: ServiceManager | undefined): Promise<Bound> {
  const { serve } = await import('../server.ts');
  const server = await serve(config, log, { environment: process.env });
  onReloadSignal(manager, () => server.reload());
  onStopSignal(config, log, (graceMs) => {
    void manager?.stopping();
    void server.stop(graceMs).then((clean) => {
      if (!clean) {
        log.error('the drain deadline has passed with calls unanswered');
        process.exitCode = 1;
      }
      // A run that never ends would keep the process for ever.
      setTimeout(() => process.exit(), 1000).unref();
    });
  });
  manager?.ready(describe(server.bound), () => Promise.resolve(true));
  return server.bound;
}

function onReloadSignal(manager: ServiceManager | undefined, reload: () => Promise<void>): void {
  process.on('SIGHUP', () => {
    manager?.reloading();
    void reload().then(() => {
      manager?.reloaded();
    });
  });
}

function onStopSignal(config: Config, log: Logger, stop: (graceMs: number) => void): void {
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    // Ctrl-C comes from a person, who waits for it; SIGTERM from something that a balancer may stand behind.
    stop(signal === 'SIGTERM' ? config.timeouts.graceMs : 0);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}

function describe(bound: Bound): string {
  return Object.entries(bound)
    .map(([plane, address]) => `${plane}=${address}`)
    .join(' ');
}
