import type { KeptDefinition } from '../../experiments/standing/kept-definition.ts';
import { readStanding, standingKey } from '../../experiments/standing/standing.ts';
import type { Standing } from '../../experiments/standing/standing.ts';
import type { Documents } from '../../experiments/stores/state-store.ts';
import { StoreUnavailable } from '../../experiments/stores/state-store.ts';
import type { KeptStandings } from './kept-standings.ts';

/**
 * What is kept of the file that an experiment was served by last, on any replica; where the store is away, on this one.
 *
 * @returns undefined where that isn't known
 */
export async function definitionServedLast(
  key: string,
  store: Documents,
  kept: KeptStandings | undefined,
): Promise<KeptDefinition | undefined> {
  try {
    const document = await store.readDocument(standingKey(key));
    if (document !== undefined) return definitionOf(readStanding(document.value));
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
  }
  return definitionOf(kept?.lastOf(key));
}

function definitionOf(standing: Standing | undefined): KeptDefinition | undefined {
  return standing?.definition === undefined
    ? undefined
    : { definition: standing.definition, digest: standing.fileDigest };
}
