import { readStanding, standingKey } from '../../experiments/standing/standing.ts';
import type { Documents } from '../../experiments/stores/state-store.ts';
import { StoreUnavailable } from '../../experiments/stores/state-store.ts';
import type { KeptStandings } from './kept-standings.ts';

/**
 * The text of the file that an experiment was served by last, on any replica; where the store is away, on this one.
 *
 * @returns undefined where that isn't known
 */
export async function definitionServedLast(
  key: string,
  store: Documents,
  kept: KeptStandings | undefined,
): Promise<string | undefined> {
  try {
    const document = await store.readDocument(standingKey(key));
    if (document !== undefined) return readStanding(document.value)?.definition;
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
  }
  return kept?.definitionOf(key);
}
