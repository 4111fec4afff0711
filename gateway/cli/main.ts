#!/usr/bin/env node
/** `signalbox`: exit code 0 done, 1 failed (a bad configuration too), 2 wrong usage. */
import { Command, CommanderError } from 'commander';
import { InvalidDocuments } from '../../documents/problem.ts';
import { RELEASE } from '../release.ts';
import { auditCommand } from './audit.ts';
import { experimentCommands } from './commands.ts';
import { backupCommand, restoreCommand } from './backup.ts';
import { configCommand } from './config.ts';
import { demoCommand } from './demo.ts';
import { doctorCommand } from './doctor.ts';
import { initCommand } from './init.ts';
import { keysCommand } from './keys.ts';
import { modelsCommand } from './models.ts';
import { observeCommand } from './observe.ts';
import { replayCommand } from './replay.ts';
import { resultsCommand } from './results.ts';
import { serveCommand } from './serve.ts';
import { statusCommand } from './status.ts';
import { validateCommand } from './validate.ts';

const program = new Command('signalbox')
  .description('A/B experimentation and traffic-routing gateway for machine-learning models')
  .version(RELEASE)
  .showHelpAfterError('(see --help)')
  .addCommand(initCommand())
  .addCommand(serveCommand())
  .addCommand(validateCommand())
  .addCommand(statusCommand())
  .addCommand(resultsCommand())
  .addCommand(auditCommand())
  .addCommand(keysCommand())
  .addCommand(modelsCommand())
  .addCommand(doctorCommand())
  .addCommand(configCommand())
  .addCommand(backupCommand())
  .addCommand(restoreCommand())
  .addCommand(observeCommand())
  .addCommand(replayCommand())
  .addCommand(demoCommand());
for (const command of experimentCommands()) program.addCommand(command);

throwOnWrongUsage(program);
try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}

/** Without it Commander ends the process itself, with 1 for everything. */
function throwOnWrongUsage(command: Command): void {
  command.exitOverride();
  command.commands.forEach(throwOnWrongUsage);
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const message = error instanceof Error ? error.message : String(error);
  const count = error instanceof InvalidDocuments ? error.problems.length : 0;
  const summary = count > 0 ? `\n${count} ${count === 1 ? 'problem' : 'problems'}; nothing was started` : '';
  process.stderr.write(`${message}${summary}\n`);
  return 1;
}
