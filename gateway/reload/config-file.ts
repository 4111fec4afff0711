import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import { isSameState, readFileState } from '../../documents/file-state.ts';
import type { FileState } from '../../documents/file-state.ts';
import { InvalidDocuments, formatProblem } from '../../documents/problem.ts';
import type { Config } from '../config/config.ts';
import type { Environment } from '../config/interpolate.ts';
import { parseConfig } from '../config/load-config.ts';
import { shownConfig } from '../config/shown-config.ts';

/** Between two looks; an edit counts when two of them saw the same. */
const LOOK_EVERY_MS = 500;

/** What takes effect while it runs; everything else needs a restart. */
const RELOADABLE = /^(limits\.(?!store|connections|imagePixels)|telemetry\.logs\.level$)/;

export interface ConfigFileOptions {
  readonly config: Config;
  readonly environment: Environment;
  readonly log: Logger;
  /** Puts the new configuration in force, all of it. */
  readonly apply: (config: Config) => void;
  readonly onReload: (result: 'success' | 'failure') => void;
}

/** The configuration's file, followed while the gateway runs: an edit takes effect as a whole, or not at all. */
export class ConfigFile {
  readonly #options: ConfigFileOptions;
  #current: Config;
  #seen: FileState | undefined;
  /** What was put in force, or refused. */
  #settled: FileState | undefined;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: ConfigFileOptions) {
    this.#options = options;
    this.#current = options.config;
  }

  /** Follows the file from now on; what was written since the configuration was read is an edit like another. */
  async start(): Promise<void> {
    const state = await this.#read();
    this.#seen = state;
    if (state.kind === 'unreadable' || this.#isInForce(state.text)) this.#settled = state;
    this.#schedule();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#looking;
  }

  /** Takes the file as it is now, without waiting for a second look. */
  reload(): Promise<void> {
    this.#looking = this.#looking.then(async () => {
      const state = await this.#read();
      this.#seen = state;
      this.#take(state);
    });
    return this.#looking;
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.#looking = this.#looking
        .then(() => this.#look())
        .then(() => {
          if (this.#timer !== undefined) this.#schedule();
        });
    }, LOOK_EVERY_MS);
  }

  async #look(): Promise<void> {
    const state = await this.#read();
    const isStill = isSameState(state, this.#seen);
    this.#seen = state;
    if (isStill && !isSameState(state, this.#settled)) this.#take(state);
  }

  /** What was read is what takes effect: the file itself may be another one by now. */
  #take(state: FileState): void {
    this.#settled = state;
    const { environment, log, apply, onReload } = this.#options;
    const { file } = this.#current;
    try {
      if (state.kind === 'unreadable') throw new InvalidDocuments([state.problem]);
      const next = parseConfig(state.text, file, environment);
      const changed = changedKeys(this.#current, next);
      const needRestart = changed.filter((key) => !RELOADABLE.test(key));
      if (needRestart.length > 0) {
        onReload('failure');
        log.error(
          { file, keys: needRestart },
          'the configuration was not reloaded: these keys need a restart, and nothing else of the edit is in force either',
        );
        return;
      }
      apply(next);
      this.#current = next;
      onReload('success');
      log.info({ file, keys: changed }, 'the configuration was reloaded');
    } catch (error) {
      onReload('failure');
      const problems =
        error instanceof InvalidDocuments ? error.problems.map(formatProblem) : [String(error)];
      log.error({ file, problems }, 'the configuration was refused; the last good one stays');
    }
  }

  #isInForce(text: string): boolean {
    const { file } = this.#current;
    try {
      return changedKeys(this.#current, parseConfig(text, file, this.#options.environment)).length === 0;
    } catch {
      // What is wrong with it is told at the next look.
      return false;
    }
  }

  #read(): Promise<FileState> {
    return readFileState(this.#current.file);
  }
}

/** The paths of the keys whose values differ; never the values, which may be secrets. */
export function changedKeys(before: Config, after: Config): readonly string[] {
  const [old, fresh] = [flat(shownConfig(before)), flat(shownConfig(after))];
  const keys = new Set([...old.keys(), ...fresh.keys()]);
  const changed = [...keys].filter((key) => !isDeepStrictEqual(old.get(key), fresh.get(key)));
  // What is redacted looks the same whatever it is.
  const redacted = [
    ['secret', before.secrets, after.secrets],
    ['state', before.state, after.state],
    ['webhooks', before.webhooks, after.webhooks],
    ['cache.redis', before.cache, after.cache],
    ['telemetry.otlp', before.tracing, after.tracing],
    ['telemetry.events', before.events, after.events],
    ['auth.jwt', before.auth.tokens, after.auth.tokens],
  ] as const;
  for (const [key, was, is] of redacted) {
    if (!isDeepStrictEqual(was, is) && changed.every((known) => !known.startsWith(key))) changed.push(key);
  }
  return changed.toSorted();
}

function flat(value: object, prefix = ''): ReadonlyMap<string, unknown> {
  return new Map(
    Object.entries(value).flatMap(([key, inner]: [string, unknown]): (readonly [string, unknown])[] => {
      const path = prefix === '' ? key : `${prefix}.${key}`;
      return typeof inner === 'object' && inner !== null && !Array.isArray(inner)
        ? [...flat(inner, path)]
        : [[path, inner]];
    }),
  );
}
