import { randomUUID } from 'node:crypto';
import { Command } from 'commander';
import { adminOption, askAdmin } from './admin-client.ts';
import { isExperiment, statusText } from './experiment-status.ts';
import type { ExperimentStatus } from './experiment-status.ts';
import { wholeNumber } from './whole-number.ts';

interface CommandOptions {
  readonly admin: string;
  readonly reason: string;
  readonly dryRun?: true;
  readonly json?: true;
  readonly full?: true;
  readonly variant?: string;
  readonly weightsVersion?: number;
  readonly idempotencyKey?: string;
}

/** What was asked for, and where the experiment stands after it. */
type Answer = ExperimentStatus & { readonly changed: boolean };

const DESCRIPTIONS = {
  promote: "moves on to the rollout's next step; without a rollout it gives a variant all units",
  pause: 'holds the rollout where it is; without a rollout all units get the control until it is resumed',
  resume: 'goes on after a pause; what was ended by hand starts again',
  rollback: 'gives the control all units, at once, and aborts the rollout',
} as const;

/** `signalbox promote|pause|resume|rollback KEY --reason …` */
export function experimentCommands(): readonly Command[] {
  return (['promote', 'pause', 'resume', 'rollback'] as const).map((action) => {
    const command = new Command(action)
      .description(DESCRIPTIONS[action])
      .argument('<key>', "the experiment's key")
      .requiredOption('-r, --reason <text>', 'why, for the audit log')
      .option('--dry-run', 'only tells what it would do')
      .option(
        '--weights-version <version>',
        'that `status` told when it was decided; refused where the experiment has another by now',
        wholeNumber,
      )
      .option(
        '--idempotency-key <key>',
        'of an earlier try that may have been carried out; left out: a new one',
      )
      .option('--json', 'for machines: one JSON object')
      .addOption(adminOption());
    if (action === 'promote') {
      command
        .option('--full', "to the rollout's end, not only its next step")
        .option('--variant <name>', 'without a rollout: which variant, where there are several');
    }
    return command.action((key: string, options: CommandOptions) => carryOut(action, key, options));
  });
}

async function carryOut(action: string, key: string, options: CommandOptions): Promise<void> {
  const { admin, reason, dryRun, json, full, variant } = options;
  const { weightsVersion, idempotencyKey = randomUUID() } = options;
  const body = {
    reason,
    ...(weightsVersion !== undefined && { weightsVersion }),
    ...(dryRun === true && { dryRun }),
    ...(full === true && { full }),
    ...(variant !== undefined && { variant }),
  };
  const path = `/api/experiments/${encodeURIComponent(key)}/${action}`;
  const answer = await askAdmin(admin, path, isAnswer, { body, idempotencyKey });
  if (json === true) process.stdout.write(`${JSON.stringify(answer)}\n`);
  else process.stdout.write(`${verdict(action, answer, dryRun === true)}\n\n${statusText(answer)}`);
}

function verdict(action: string, { key, changed }: Answer, isDryRun: boolean): string {
  if (!changed) return `${key} stands there already; nothing ${isDryRun ? 'would change' : 'was changed'}`;
  return isDryRun
    ? `${action} of ${key} would make it stand so; nothing was changed`
    : `${action} of ${key}: done`;
}

function isAnswer(answer: unknown): answer is Answer {
  return isExperiment(answer) && 'changed' in answer && typeof answer.changed === 'boolean';
}
