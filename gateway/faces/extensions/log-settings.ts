import type { Logger } from 'pino';
import type { Actor } from '../../../experiments/standing/standing.ts';
import { GatewayError } from '../../errors.ts';
import type { Gateway } from '../../gateway.ts';
import { flagAt, invalid, nameOf, own } from '../../json-values.ts';
import type { JsonObject } from '../../json-values.ts';

/** The logging extension's settings. They stand for the logger's level, which is all that they can move. */
export interface LogSettings {
  readonly log_file: string;
  readonly log_info: boolean;
  readonly log_warning: boolean;
  readonly log_error: boolean;
  /** 0: none; 1: debugging; 2: everything. */
  readonly log_verbose_level: number;
  readonly log_format: string;
}

/** From the most talkative to none. */
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
type Level = (typeof LEVELS)[number];

export function readLogSettings({ level }: Pick<Logger, 'level'>): LogSettings {
  const rank = LEVELS.indexOf(level as Level);
  const says = (other: Level): boolean => rank >= 0 && rank <= LEVELS.indexOf(other);
  return {
    log_file: '',
    log_info: says('info'),
    log_warning: says('warn'),
    log_error: says('error'),
    log_verbose_level: says('trace') ? 2 : says('debug') ? 1 : 0,
    log_format: 'default',
  };
}

/**
 * Changes the named settings, and with them the logger's level.
 *
 * @throws GatewayError where a setting is unknown, of the wrong type, or one that can't be changed
 */
export function changeLogSettings(log: Pick<Logger, 'level'>, changes: JsonObject): LogSettings {
  const before = readLogSettings(log);
  for (const name of Object.keys(changes)) {
    if (!Object.hasOwn(before, name)) {
      throw invalid(`unknown log setting '${name.slice(0, 64)}'; known: ${Object.keys(before).join(', ')}`);
    }
  }
  refuseOther(
    changes,
    'log_file',
    before.log_file,
    'log file location can not be updated through network protocol',
  );
  refuseOther(
    changes,
    'log_format',
    before.log_format,
    'logs are JSON lines: the log format can not be changed',
  );
  const flag = (name: 'log_info' | 'log_warning' | 'log_error'): boolean =>
    isLeftOut(changes, name) ? before[name] : flagAt(changes, name, 'the settings');
  const info = flag('log_info');
  const warning = flag('log_warning');
  const error = flag('log_error');
  const verbose = verboseIn(changes) ?? before.log_verbose_level;
  if (
    (verbose > 0 && !info && !isLeftOut(changes, 'log_verbose_level')) ||
    (info && !warning) ||
    (warning && !error)
  ) {
    throw new GatewayError(
      'unsupported',
      'log levels are ordered: log_verbose_level needs log_info, log_info needs log_warning, and that needs log_error',
    );
  }
  log.level = levelOf(info ? verbose : 0, info, warning, error);
  return readLogSettings(log);
}

function levelOf(verbose: number, info: boolean, warning: boolean, error: boolean): Level {
  if (verbose > 1) return 'trace';
  if (verbose === 1) return 'debug';
  if (info) return 'info';
  if (warning) return 'warn';
  return error ? 'error' : 'silent';
}

function verboseIn(changes: JsonObject): number | undefined {
  if (isLeftOut(changes, 'log_verbose_level')) return undefined;
  const value = own(changes, 'log_verbose_level');
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  throw invalid(`log_verbose_level is ${nameOf(value)}; expected a whole number >= 0`);
}

function refuseOther(changes: JsonObject, name: string, current: string, reason: string): void {
  if (isLeftOut(changes, name) || own(changes, name) === current) return;
  throw new GatewayError('unsupported', `${name}: ${reason}`);
}

/** Triton's clients send null for what they don't want to change. */
function isLeftOut(changes: JsonObject, name: string): boolean {
  const value = own(changes, name);
  return value === undefined || value === null;
}

/**
 * Changes them for a caller, which the audit log has with the levels before and after.
 *
 * @throws GatewayError as {@link changeLogSettings}
 */
export async function changeLogFor(
  { log, audit }: Pick<Gateway, 'log' | 'audit'>,
  actor: Actor,
  changes: JsonObject,
): Promise<LogSettings> {
  const before = log.level;
  const settings = changeLogSettings(log, changes);
  if (log.level !== before)
    await audit.write({
      kind: 'settings',
      action: 'log.set',
      actor,
      before: { level: before },
      after: { level: log.level },
    });
  return settings;
}
