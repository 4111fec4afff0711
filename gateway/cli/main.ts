#!/usr/bin/env node
/** `signalbox`: exit code 0 done, 1 failed (a bad configuration too), 2 wrong usage. */
import { Command, CommanderError } from 'commander';
import { InvalidDocuments } from '../../documents/problem.ts';
import { RELEASE } from '../release.ts';
import { COMMANDS } from './command-modules.ts';
import { experimentCommands } from './commands.ts';

const experiments = experimentCommands();
const [asked = ''] = process.argv.slice(2);
// Whoever asks for help, or for what there is not, is told of all of them.
const isKnown = Object.hasOwn(COMMANDS, asked) || experiments.some((command) => command.name() === asked);
const needed = Object.keys(COMMANDS).filter((name) => !isKnown || name === asked);

const program = new Command('signalbox')
  .description('A/B experimentation and traffic-routing gateway for machine-learning models')
  .version(RELEASE)
  .showHelpAfterError('(see --help)');
for (const name of needed) {
  const command = await COMMANDS[name]?.();
  if (command !== undefined) program.addCommand(command);
}
for (const command of experiments) program.addCommand(command);

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
