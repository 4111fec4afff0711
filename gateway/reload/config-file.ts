import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import { InvalidDocuments, formatProblem } from '../../documents/problem.ts';
import { loadConfig } from '../config/config.ts';
import type { Config } from '../config/config.ts';
import type { Environment } from '../config/interpolate.ts';
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
  #seen: string | undefined;
  #settled: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: ConfigFileOptions) {
    this.#options = options;
    this.#current = options.config;
  }

  /** Reads what is in force already, and follows the file from then on. */
  async start(): Promise<void> {
    this.#settled = await this.#read();
    this.#seen = this.#settled;
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
      const text = await this.#read();
      this.#seen = text;
      this.#settled = text;
      await this.#take();
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
    const text = await this.#read();
    const isStill = text === this.#seen;
    this.#seen = text;
    if (!isStill || text === this.#settled) return;
    this.#settled = text;
    await this.#take();
  }

  async #take(): Promise<void> {
    const { environment, log, apply, onReload } = this.#options;
    const { file } = this.#current;
    try {
      const next = await loadConfig(file, environment);
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

  /** @returns undefined for a file that is gone */
  #read(): Promise<string | undefined> {
    return readFile(this.#current.file, 'utf8').catch(() => undefined);
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
