import { parse } from 'dot-properties';

/**
 * Reads a file of Java properties, in the order of its lines.
 *
 * @throws Error where it is none
 */
export function readProperties(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(parse(text) as object)) found.set(key, String(value).trim());
  return found;
}
