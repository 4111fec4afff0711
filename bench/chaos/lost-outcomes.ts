import { openStore } from '../../experiments/stores/open-store.ts';
import { StoreUnavailable } from '../../experiments/stores/state-store.ts';
import type { Tallies } from '../../experiments/stores/tallies.ts';
import { until } from './finding.ts';

/** The metric that callers send outcomes of. */
const METRIC = 'correct';

/** Outcomes that are sent in one call when they are asked after: more may take a store longer than it is given. */
const OUTCOMES_A_CALL = 100;

/** What `POST /v1/outcomes` answers. */
export interface OutcomesAnswer {
  readonly accepted: number;
  readonly rejected: readonly { readonly code: string }[];
}

/** The body of `POST /v1/outcomes` for predictions by their ids. */
export function outcomesOf(ids: readonly string[]): string {
  return JSON.stringify(ids.map((id) => ({ prediction_id: id, metric: METRIC, value: 1 })));
}

/**
 * How many outcomes the state store has counted, once none waits on disk; each counts once, however often it was sent. Undefined for a store that
 * is never away without the gateway.
 */
export type CountOutcomes = (() => Promise<number>) | undefined;

/**
 * Sends every outcome that was acknowledged once more: one that isn't known any more was lost. Where the store doesn't answer in time, as on a busy
 * machine, outcomes are put on disk and accepted before it could say that it knows them; so where it can be away it is asked itself, before and after,
 * how many it has.
 *
 * @param ids of their predictions
 * @param send posts a body to `/v1/outcomes`
 */
export async function lostOutcomes(
  ids: readonly string[],
  send: (body: string) => Promise<OutcomesAnswer>,
  count: CountOutcomes,
): Promise<number> {
  const before = await count?.();
  let accepted = 0;
  let unknown = 0;
  for (let start = 0; start < ids.length; start += OUTCOMES_A_CALL) {
    const answer = await send(outcomesOf(ids.slice(start, start + OUTCOMES_A_CALL)));
    accepted += answer.accepted;
    unknown += answer.rejected.filter(({ code }) => !KNOWN.has(code)).length;
  }
  const after = await count?.();
  return unknown + (before === undefined || after === undefined ? accepted : after - before);
}

/** What is said of an outcome that the store has judged before. */
const KNOWN: ReadonlySet<string> = new Set(['duplicate', 'not_counted']);

export interface CountedIn {
  /** `redis://…` */
  readonly redis: string;
  readonly experiment: string;
  /** Outcomes that wait on the gateway's disk. */
  readonly spooled: () => Promise<number>;
}

/** Asks a Redis that a gateway keeps its state in. */
export function countedIn({ redis, experiment, spooled }: CountedIn): () => Promise<number> {
  return async () => {
    await until('what waits on the disk is delivered', async () => (await spooled()) === 0);
    const store = await openStore({ kind: 'redis', url: redis });
    try {
      let counted: number | undefined;
      await until('Redis says what it has counted', async () => {
        counted = await store
          .tallies(experiment, 1, [], Date.now())
          .then(countedOutcomes, (error: unknown) => {
            if (error instanceof StoreUnavailable) return undefined;
            throw error;
          });
        return counted !== undefined;
      });
      return counted ?? 0;
    } finally {
      await store.close();
    }
  };
}

/** Those that are tested, and those that are only shown. */
function countedOutcomes({ epochs, untested }: Tallies): number {
  const tested = epochs.flatMap(({ variants }) =>
    Object.values(variants).map(({ metrics }) => metrics[METRIC]?.units ?? 0),
  );
  const shown = Object.values(untested).map((byMetric) => {
    const { later = 0, late = 0, unitless = 0 } = byMetric[METRIC] ?? {};
    return later + late + unitless;
  });
  return [...tested, ...shown].reduce((sum, count) => sum + count, 0);
}
