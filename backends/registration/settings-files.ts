import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Value } from 'typebox/value';
import { parse, stringify } from 'yaml';
import type { Offer } from './offer.ts';
import { RegistrationError } from './registration-error.ts';

/** What of a model's configuration whoever registers it may say. */
export interface WishedSettings {
  readonly maxBatchSize: number | undefined;
  readonly maxQueueDelayMs: number | undefined;
  readonly instances: number | undefined;
}

/** What stands beside a model's versions. */
export interface Settings {
  /** Of `config.yaml`, by key; empty: none is needed. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly labels: readonly string[] | undefined;
}

const LABELS = 'labels.txt';

export function settingsOf(
  { labels, image }: Offer,
  { maxBatchSize, maxQueueDelayMs, instances }: WishedSettings,
): Settings {
  const own = { ...(labels !== undefined && { labels: LABELS }), ...(image !== undefined && { image }) };
  return {
    labels,
    config: {
      ...(maxBatchSize !== undefined && { max_batch_size: maxBatchSize }),
      ...(maxQueueDelayMs !== undefined && {
        dynamic_batching: { max_queue_delay_microseconds: Math.round(maxQueueDelayMs * 1000) },
      }),
      ...(instances !== undefined && { instance_group: [{ count: instances }] }),
      ...(Object.keys(own).length > 0 && { signalbox: own }),
    },
  };
}

/** Writes the files of a new model. */
export async function writeSettings(folder: string, { config, labels }: Settings): Promise<void> {
  if (labels !== undefined) await writeFile(join(folder, LABELS), textOf(labels));
  if (Object.keys(config).length > 0) await writeFile(join(folder, 'config.yaml'), stringify(config));
}

/**
 * A model that is there has a configuration for all of its versions, which a further one doesn't change.
 *
 * @throws RegistrationError `invalid` where the further one would need another
 */
export async function requireSettings(
  folder: string,
  name: string,
  { config, labels }: Settings,
): Promise<void> {
  const present = await read(join(folder, 'config.yaml'));
  const standing: unknown = present === undefined ? {} : parse(present);
  const differing = isRecord(standing) ? differences(config, standing) : Object.keys(config);
  const labelsFile =
    isRecord(standing) && isRecord(standing.signalbox) ? standing.signalbox.labels : undefined;
  const known = typeof labelsFile === 'string' ? await read(join(folder, labelsFile)) : undefined;
  if (
    labels !== undefined &&
    known?.trimEnd() !== textOf(labels).trimEnd() &&
    !differing.includes('signalbox.labels')
  )
    differing.push('signalbox.labels');
  if (differing.length === 0) return;
  const isProto = (await stat(join(folder, 'config.pbtxt')).catch(() => undefined)) !== undefined;
  throw new RegistrationError(
    'invalid',
    `model '${name}' is there with a configuration that differs in ${differing.join(', ')}; ` +
      `leave these out, or bring ${name}/${isProto ? 'config.pbtxt' : 'config.yaml'} up to them first`,
  );
}

/** The keys of what is wished that stand otherwise, down to the first two levels. */
function differences(wished: Settings['config'], standing: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(wished).flatMap(([key, value]) => {
    const found = Object.hasOwn(standing, key) ? standing[key] : undefined;
    if (!isRecord(value)) return Value.Equal(value, found) ? [] : [key];
    return Object.entries(value)
      .filter(
        ([inner, wanted]) =>
          !isRecord(found) || !Object.hasOwn(found, inner) || !Value.Equal(wanted, found[inner]),
      )
      .map(([inner]) => `${key}.${inner}`);
  });
}

function textOf(labels: readonly string[]): string {
  return `${labels.join('\n')}\n`;
}

function read(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
