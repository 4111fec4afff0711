import type { ModelLook } from './look.ts';
import type { IndexEntry } from './served-model.ts';

/**
 * Every version once, by name and number.
 *
 * @param served what is served, and then what answers its last requests: of a version that is both, the first line stands
 * @param unloaded models that could be loaded
 */
export function wholeIndex(
  served: readonly IndexEntry[],
  unloaded: readonly ModelLook[],
): readonly IndexEntry[] {
  const lines = new Map<string, IndexEntry>();
  const add = (entry: IndexEntry): void => {
    const key = `${entry.name}/${entry.version}`;
    if (!lines.has(key)) lines.set(key, entry);
  };
  served.forEach(add);
  for (const { folder } of unloaded) {
    for (const { version } of folder.versions)
      add({ name: folder.name, version, state: 'UNAVAILABLE', reason: 'unloaded' });
  }
  return [...lines.values()].sort((a, b) =>
    a.name === b.name ? a.version - b.version : a.name < b.name ? -1 : 1,
  );
}
