import { Command, InvalidArgumentError } from 'commander';
import { openStore } from '../../experiments/stores/open-store.ts';
import { loadConfig } from '../config/load-config.ts';
import { RATE_EXPECTED, parseRate } from '../limits/rate.ts';
import { EXPIRY_EXPECTED, ROTATION_MS, durationMs, expiryOf } from '../trust/expiry.ts';
import { KeyDesk } from '../trust/key-desk.ts';
import type { MadeKey, ShownKey } from '../trust/key-desk.ts';
import type { Grant } from '../trust/key-store.ts';
import { PRIORITIES } from '../trust/priority.ts';
import type { Priority } from '../trust/priority.ts';
import { SCOPES } from '../trust/scopes.ts';
import type { Scope } from '../trust/scopes.ts';
import { StoredKeys } from '../trust/stored-keys.ts';
import { WatchedKeys } from '../trust/watched-keys.ts';
import { askAdmin, isRecord } from './admin-client.ts';

export function keysCommand(): Command {
  return new Command('keys')
    .description('make, list, rotate and revoke API keys')
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(rotateCommand())
    .addCommand(revokeCommand());
}

/** Where the keys are that a command is about. */
interface PlaceOptions {
  readonly file: string;
  readonly config?: string;
  readonly admin?: string;
  readonly json?: true;
}

/** The options that every command here has. */
function placedCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('-f, --file <file>', 'the keys file', 'keys.yaml')
    .option('-c, --config <file>', 'the keys of that configuration: its file, or its state store')
    .option(
      '--admin <url>',
      'the keys of a running gateway, by its control plane; the key comes from SIGNALBOX_KEY',
    )
    .option('--json', 'for machines: one JSON object');
}

interface CreateOptions extends PlaceOptions {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly models: readonly string[];
  readonly rate?: string;
  readonly concurrency?: number;
  readonly daily?: number;
  readonly priority?: Priority;
  readonly expires?: string;
}

function createCommand(): Command {
  return placedCommand('create', 'make a key; it is shown once, and only its SHA-256 is kept')
    .requiredOption('--name <name>', 'whose it is')
    .requiredOption('--scopes <list>', `what it may do: ${SCOPES.join(',')}`, scopesOf)
    .option('--models <list>', 'the models it may call; left out: all', namesOf, [])
    .option('--rate <rate>', 'as 100/s or 100/s burst 200; left out: limits.keyRate', rateOf)
    .option('--concurrency <count>', 'requests that it may have under way at once', countOf)
    .option('--daily <count>', 'rows that it may send a day (UTC)', countOf)
    .option('--priority <priority>', `when there is too much to do: ${PRIORITIES.join(', ')}`, priorityOf)
    .option('--expires <duration>', 'as 90d or 12h; left out: never', expiresOf)
    .action(async (options: CreateOptions) => {
      const { name, scopes, models, rate, concurrency, daily, priority, expires } = options;
      const grant: Grant = { name, scopes, models, rate, concurrency, daily, priority, expires };
      await using desk = await openDesk(options);
      const made = await desk.create(grant);
      tell(options.json, { ...made, ...grant }, [
        made.key,
        `Key ${made.id} for ${name} is in ${desk.place}. It is shown this once: keep it where secrets are kept.`,
      ]);
    });
}

function listCommand(): Command {
  return placedCommand('list', 'show the keys, never the secrets').action(async (options: PlaceOptions) => {
    await using desk = await openDesk(options);
    const keys = await desk.list();
    const shown = keys.map(({ id, name, scopes, models, expires, expired }) =>
      [
        id,
        name,
        scopes.join(','),
        models === null ? 'all models' : models.join(','),
        expires === null ? 'never expires' : `${expired ? 'expired' : 'expires'} ${expires}`,
      ].join('  '),
    );
    tell(options.json, { keys }, [shown.join('\n') || 'no keys']);
  });
}

function rotateCommand(): Command {
  return placedCommand('rotate', 'make a second key with the same rights; the first ends a while later')
    .argument('<id>', "the key's id")
    .option('--keep <duration>', 'how long the first one still opens', keepOf, ROTATION_MS)
    .action(async (id: string, options: PlaceOptions & { readonly keep: number }) => {
      await using desk = await openDesk(options);
      const made = await desk.rotate(id, options.keep);
      tell(options.json, made, [
        made.key,
        `Key ${made.id} stands beside ${id}, which ends at ${made.until}. It is shown this once.`,
      ]);
    });
}

function revokeCommand(): Command {
  return placedCommand('revoke', 'take a key away; running gateways follow within a second')
    .argument('<id>', "the key's id")
    .action(async (id: string, options: PlaceOptions) => {
      await using desk = await openDesk(options);
      await desk.revoke(id);
      tell(options.json, { revoked: id }, [`Key ${id} is revoked.`]);
    });
}

type Rotated = Awaited<ReturnType<KeyDesk['rotate']>>;

/** The keys of one place, and what is done with them. */
interface OpenDesk extends AsyncDisposable {
  readonly place: string;
  list(): readonly ShownKey[] | Promise<readonly ShownKey[]>;
  create(grant: Grant): Promise<MadeKey>;
  rotate(id: string, keepMs: number): Promise<Rotated>;
  revoke(id: string): Promise<void>;
}

/** @throws InvalidDocuments, StoreUnavailable, AdminUnreachable, Error where the place has no keys */
async function openDesk({ file, config, admin }: PlaceOptions): Promise<OpenDesk> {
  if (admin !== undefined) return remoteDesk(admin);
  if (config === undefined) return deskOver(new KeyDesk(await WatchedKeys.openToEdit(file)));
  const { auth, state } = await loadConfig(config, process.env);
  if (auth.keys === undefined)
    throw new Error(`${config} has no auth.keys; set it to a file's path, or to state`);
  if (auth.keys.kind === 'file') return deskOver(new KeyDesk(await WatchedKeys.openToEdit(auth.keys.file)));
  const store = await openStore(state);
  try {
    return deskOver(new KeyDesk(await StoredKeys.open(store)), () => store.close());
  } catch (error) {
    await store.close();
    throw error;
  }
}

function deskOver(desk: KeyDesk, close: () => Promise<void> = () => Promise.resolve()): OpenDesk {
  return {
    place: desk.place,
    list: () => desk.list(),
    create: (grant) => desk.create(grant),
    rotate: (id, keepMs) => desk.rotate(id, keepMs),
    revoke: (id) => desk.revoke(id),
    [Symbol.asyncDispose]: close,
  };
}

function remoteDesk(url: string): OpenDesk {
  const of = (id: string): string => `/api/keys/${encodeURIComponent(id)}`;
  return {
    place: url,
    list: async () => (await askAdmin(url, '/api/keys', isKeyList)).keys,
    create: ({ models, ...grant }) =>
      askAdmin(url, '/api/keys', isMade, {
        method: 'POST',
        body: { ...grant, ...(models.length > 0 && { models }) },
      }),
    rotate: (id, keepMs) =>
      askAdmin(url, `${of(id)}/rotate`, isRotated, {
        method: 'POST',
        body: { keep: `${Math.ceil(keepMs / 1000)}s` },
      }),
    revoke: async (id) => {
      await askAdmin(url, of(id), isRecord, { method: 'DELETE' });
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function isKeyList(answer: unknown): answer is { readonly keys: readonly ShownKey[] } {
  return isRecord(answer) && Array.isArray(answer.keys);
}

function isMade(answer: unknown): answer is MadeKey {
  return isRecord(answer) && typeof answer.id === 'string' && typeof answer.key === 'string';
}

function isRotated(answer: unknown): answer is Rotated {
  return isRecord(answer) && isMade(answer) && typeof answer.until === 'string';
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

function keepOf(text: string): number {
  const ms = durationMs(text);
  if (ms === undefined) throw new InvalidArgumentError(`expected ${EXPIRY_EXPECTED}`);
  return ms;
}

function expiresOf(text: string): string {
  const ends = expiryOf(text, Date.now());
  if (ends === undefined) throw new InvalidArgumentError(`expected ${EXPIRY_EXPECTED}, or a date`);
  if (Date.parse(ends) <= Date.now())
    throw new InvalidArgumentError('it has passed; expected a time to come');
  return ends;
}
