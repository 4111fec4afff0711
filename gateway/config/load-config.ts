import { InvalidDocuments } from '../../documents/problem.ts';
import { readFileState } from '../../documents/file-state.ts';
import { parseYaml } from '../../documents/yaml-document.ts';
import type { Config } from './config.ts';
import { interpolate } from './interpolate.ts';
import type { Environment } from './interpolate.ts';
import { readConfig } from './read-config.ts';
import { ConfigSchema } from './schema.ts';

/**
 * Reads a configuration file.
 *
 * @throws InvalidDocuments with everything that is wrong with it
 */
export async function loadConfig(file: string, environment: Environment): Promise<Config> {
  const state = await readFileState(file);
  if (state.kind === 'unreadable') throw new InvalidDocuments([state.problem]);
  return parseConfig(state.text, file, environment);
}

/**
 * The configuration that a file's text says.
 *
 * @param file what the text is called, and what its paths are relative to
 * @throws InvalidDocuments with everything that is wrong with it
 */
export function parseConfig(text: string, file: string, environment: Environment): Config {
  const interpolated = interpolate(parseYaml(text, file), environment, ConfigSchema);
  return readConfig(interpolated, vulkanDriverNamed(environment));
}

/** Whether a driver is named to the Vulkan loader beside those that are installed. */
export function vulkanDriverNamed(environment: Environment): boolean {
  return ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES', 'VK_ADD_DRIVER_FILES'].some(
    (name) => environment[name] !== undefined,
  );
}
