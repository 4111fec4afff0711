import { Command, InvalidArgumentError, Option } from 'commander';
import type { AuditedState } from '../../experiments/standing/audit-record.ts';
import { readAuditEvent } from '../audit/audit-event.ts';
import { changeText, subjectOf } from '../audit/event-text.ts';
import { adminOption, askAdmin, isRecord } from './admin-client.ts';
import { whoIs } from './experiment-status.ts';

/** An entry as it comes: what a newer gateway wrote may be of a form that isn't known here. */
type AuditLine = Readonly<Record<string, unknown>>;

interface AuditOptions {
  readonly admin: string;
  readonly limit: number;
  readonly json?: true;
}

export function auditCommand(): Command {
  return new Command('audit')
    .description(
      'what was done to experiments, models, keys and the log, by whom and why: the last entries, the newest below',
    )
    .argument('[key]', 'only of this experiment')
    .addOption(adminOption())
    .addOption(
      new Option('-n, --limit <entries>', 'how many entries, 1 to 1000').default(20).argParser(entriesOf),
    )
    .option('--json', 'for machines: one JSON object')
    .action(async (key: string | undefined, { admin, limit, json }: AuditOptions) => {
      const query = new URLSearchParams({
        limit: String(limit),
        ...(key !== undefined && { experiment: key }),
      });
      const page = await askAdmin(admin, `/api/audit?${query.toString()}`, isPage);
      if (json === true) process.stdout.write(`${JSON.stringify(page)}\n`);
      else process.stdout.write(`${page.entries.map(entryText).join('\n') || 'nothing was done yet'}\n`);
    });
}

function entryText(line: AuditLine): string {
  const event = readAuditEvent(line);
  if (event === undefined)
    return `${textOf(line.sequence)}  ${textOf(line.at)}  ${textOf(line.action)}, of a form that is not shown here; --json has it`;
  const head = `${textOf(line.sequence)}  ${event.at}`;
  const who = `${event.action}, ${whoIs(event.actor)}`;
  if (event.kind !== 'experiment') return `${head}  ${subjectOf(event)}  ${who}\n    ${changeText(event)}`;
  const { experiment, reason, before, after } = event;
  const from = before === null ? '' : `${stateText(before)} → `;
  return `${head}  ${experiment}  ${who}: ${reason}\n    ${from}${stateText(after)}`;
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '-';
}

function stateText({ version, status, weights }: AuditedState): string {
  const shares = Object.entries(weights).map(([name, weight]) => `${name} ${weight}`);
  return `(${version}) ${status} ${shares.join(', ')}`;
}

function entriesOf(text: string): number {
  const entries = Number(text);
  if (!(Number.isInteger(entries) && entries >= 1 && entries <= 1000))
    throw new InvalidArgumentError('expected a whole number from 1 to 1000');
  return entries;
}

function isPage(answer: unknown): answer is { readonly entries: readonly AuditLine[] } {
  return isRecord(answer) && Array.isArray(answer.entries) && answer.entries.every(isRecord);
}
