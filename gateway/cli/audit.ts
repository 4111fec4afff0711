import { Command, InvalidArgumentError, Option } from 'commander';
import { adminOption, askAdmin, isRecord } from './admin-client.ts';
import { whoIs } from './experiment-status.ts';

/** An entry, as far as it is shown here. */
interface AuditLine {
  readonly sequence: number;
  readonly at: string;
  readonly action: string;
  readonly experiment: string;
  readonly reason: string;
  readonly actor: { readonly kind: string; readonly name: string; readonly address: string };
  readonly before: AuditedState | null;
  readonly after: AuditedState;
}

interface AuditedState {
  readonly version: number;
  readonly status: string;
  readonly weights: Readonly<Record<string, number>>;
}

interface AuditOptions {
  readonly admin: string;
  readonly limit: number;
  readonly json?: true;
}

export function auditCommand(): Command {
  return new Command('audit')
    .description('what was done to experiments, by whom and why: the last entries, the newest below')
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

function entryText({ sequence, at, action, experiment, actor, reason, before, after }: AuditLine): string {
  const from = before === null ? '' : `${stateText(before)} → `;
  return `${sequence}  ${at}  ${experiment}  ${action}, ${whoIs(actor)}: ${reason}\n    ${from}${stateText(after)}`;
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
  return isRecord(answer) && Array.isArray(answer.entries) && answer.entries.every(isLine);
}

function isLine(entry: unknown): entry is AuditLine {
  return (
    isRecord(entry) && typeof entry.action === 'string' && isRecord(entry.actor) && isRecord(entry.after)
  );
}
