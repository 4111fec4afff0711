import { readFile } from 'node:fs/promises';
import { Command, InvalidArgumentError } from 'commander';
import { parseYaml } from '../../documents/yaml-document.ts';
import { createKey } from '../trust/api-key.ts';
import { KeysEditor } from '../trust/keys-editor.ts';
import { readKeys } from '../trust/keys-file.ts';
import { RATE_EXPECTED, parseRate } from '../limits/rate.ts';
import { PRIORITIES } from '../trust/priority.ts';
import type { Priority } from '../trust/priority.ts';
import { SCOPES } from '../trust/scopes.ts';
import type { Scope } from '../trust/scopes.ts';

/** How long a rotated key still opens, so that its holders can change over. */
const ROTATION = '24h';

export function keysCommand(): Command {
  return new Command('keys')
    .description('make, list, rotate and revoke API keys')
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(rotateCommand())
    .addCommand(revokeCommand());
}

interface FileOption {
  readonly file: string;
  readonly json?: true;
}

/** The options that every command here has. */
function keysFileCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('-f, --file <file>', 'the keys file', 'keys.yaml')
    .option('--json', 'for machines: one JSON object');
}

interface CreateOptions extends FileOption {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly models: readonly string[];
  readonly rate?: string;
  readonly concurrency?: number;
  readonly daily?: number;
  readonly priority?: Priority;
  readonly expires?: number;
}

function createCommand(): Command {
  return keysFileCommand('create', 'make a key; it is shown once, and only its SHA-256 is kept')
    .requiredOption('--name <name>', 'whose it is')
    .requiredOption('--scopes <list>', `what it may do: ${SCOPES.join(',')}`, scopesOf)
    .option('--models <list>', 'the models it may call; left out: all', namesOf, [])
    .option('--rate <rate>', 'as 100/s or 100/s burst 200; left out: limits.keyRate', rateOf)
    .option('--concurrency <count>', 'requests that it may have under way at once', countOf)
    .option('--daily <count>', 'rows that it may send a day (UTC)', countOf)
    .option('--priority <priority>', `when there is too much to do: ${PRIORITIES.join(', ')}`, priorityOf)
    .option('--expires <duration>', 'as 90d or 12h; left out: never', durationOf)
    .action(async (options: CreateOptions) => {
      const { file, name, scopes, models, rate, concurrency, daily, priority, json } = options;
      const editor = await KeysEditor.open(file);
      const key = createKey();
      const expires =
        options.expires === undefined ? undefined : new Date(Date.now() + options.expires).toISOString();
      const grant = { name, scopes, models, rate, concurrency, daily, priority, expires };
      editor.add(key, grant);
      await editor.save();
      tell(json, { id: key.id, key: key.text, ...grant }, [
        key.text,
        `Key ${key.id} for ${name} is in ${file}. It is shown this once: keep it where secrets are kept.`,
      ]);
    });
}

function listCommand(): Command {
  return keysFileCommand('list', 'show the keys, never the secrets').action(
    async ({ file, json }: FileOption) => {
      const keys = readKeys(parseYaml(await readFile(file, 'utf8'), file));
      const now = Date.now();
      const lines = [...keys.values()].map(({ id, name, scopes, models, limits, priority, expiresAtMs }) => ({
        id,
        name,
        scopes: [...scopes],
        models: models === undefined ? null : [...models],
        rate: limits.rate ?? null,
        concurrency: limits.concurrency ?? null,
        daily: limits.daily ?? null,
        priority,
        expires: expiresAtMs === Infinity ? null : new Date(expiresAtMs).toISOString(),
        expired: expiresAtMs <= now,
      }));
      const shown = lines.map(({ id, name, scopes, models, expires, expired }) =>
        [
          id,
          name,
          scopes.join(','),
          models === null ? 'all models' : models.join(','),
          expires === null ? 'never expires' : `${expired ? 'expired' : 'expires'} ${expires}`,
        ].join('  '),
      );
      tell(json, { keys: lines }, [shown.join('\n') || 'no keys']);
    },
  );
}

function rotateCommand(): Command {
  return keysFileCommand('rotate', 'make a second key with the same rights; the first ends a while later')
    .argument('<id>', "the key's id")
    .option('--keep <duration>', 'how long the first one still opens', durationOf, durationOf(ROTATION))
    .action(async (id: string, { file, keep, json }: FileOption & { readonly keep: number }) => {
      const editor = await KeysEditor.open(file);
      const key = createKey();
      const ends = new Date(Date.now() + keep).toISOString();
      editor.rotate(id, key, ends);
      await editor.save();
      tell(json, { id: key.id, key: key.text, replaces: id, until: ends }, [
        key.text,
        `Key ${key.id} stands beside ${id}, which ends at ${ends}. It is shown this once.`,
      ]);
    });
}

function revokeCommand(): Command {
  return keysFileCommand('revoke', 'take a key away; running gateways follow within a second')
    .argument('<id>', "the key's id")
    .action(async (id: string, { file, json }: FileOption) => {
      const editor = await KeysEditor.open(file);
      editor.remove(id);
      await editor.save();
      tell(json, { revoked: id }, [`Key ${id} is revoked.`]);
    });
}

/** A key goes to stdout alone, so that it can be piped; the words about it go to stderr. */
function tell(json: true | undefined, data: object, [first = '', ...words]: readonly string[]): void {
  process.stdout.write(`${json === true ? JSON.stringify(data) : first}\n`);
  if (json !== true && words.length > 0) process.stderr.write(`${words.join('\n')}\n`);
}

function namesOf(text: string): readonly string[] {
  return text.split(',').map((name) => name.trim());
}

function scopesOf(text: string): readonly Scope[] {
  return namesOf(text).map((name) => {
    const scope = SCOPES.find((known) => known === name);
    if (scope === undefined) {
      throw new InvalidArgumentError(`"${name}" is no scope; expected some of ${SCOPES.join(',')}`);
    }
    return scope;
  });
}

function rateOf(text: string): string {
  if (parseRate(text) === undefined) throw new InvalidArgumentError(`expected ${RATE_EXPECTED}`);
  return text;
}

function countOf(text: string): number {
  if (!/^[1-9][0-9]{0,14}$/.test(text)) throw new InvalidArgumentError('expected a whole number above 0');
  return Number(text);
}

function priorityOf(text: string): Priority {
  const priority = PRIORITIES.find((known) => known === text);
  if (priority === undefined) throw new InvalidArgumentError(`expected one of ${PRIORITIES.join(', ')}`);
  return priority;
}

const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

function durationOf(text: string): number {
  const [, count, unit] = /^([1-9][0-9]{0,5})(s|m|h|d)$/.exec(text) ?? [];
  if (count === undefined) throw new InvalidArgumentError('expected a duration as 90d, 12h or 30m');
  return Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS];
}
