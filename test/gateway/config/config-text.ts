import { join } from 'node:path';
import type { Config } from '../../../gateway/config/config.ts';
import { loadConfig } from '../../../gateway/config/load-config.ts';
import { refusals } from '../../documents/refusals.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';

/** The least that a configuration says. */
export const LEAST = 'listen: { http: 127.0.0.1:8000 }\nmodels: { repository: ./models }\n';

type Environment = Readonly<Record<string, string | undefined>>;

export async function load(text: string, environment: Environment = {}): Promise<Config> {
  await using folder = await temporaryFolder({ 'signalbox.yaml': text });
  return await loadConfig(join(folder.path, 'signalbox.yaml'), environment);
}

/** What a configuration is refused for, with the file's name in place of its path. */
export async function refusalsOf(text: string, environment: Environment = {}): Promise<readonly string[]> {
  const lines = await refusals(() => load(text, environment));
  return lines.map((line) => line.replace(/^.*signalbox\.yaml/, 'signalbox.yaml'));
}
