import type { StateAddress } from '../../experiments/stores/open-store.ts';
import { parseRedisUrl } from '../../experiments/stores/redis-address.ts';

/**
 * Reads `state`.
 *
 * @param pathOf makes a path absolute
 * @returns the address, or what is wrong with the text
 */
export function readStateAddress(text: string, pathOf: (path: string) => string): StateAddress | string {
  if (text === 'memory') return { kind: 'memory' };
  if (text.startsWith('sqlite:')) {
    const path = text.slice('sqlite:'.length);
    return path === '' || path.startsWith('//')
      ? 'names no file; expected a path as sqlite:./signalbox.db'
      : { kind: 'sqlite', file: pathOf(path) };
  }
  try {
    parseRedisUrl(text);
    return { kind: 'redis', url: text };
  } catch (error) {
    // What stands there may be a password, so it is not repeated.
    return `${error instanceof Error ? error.message : String(error)}; expected memory, sqlite:FILE or redis://host:6379/0`;
  }
}
