import type { ExperimentData } from '../../experiments/stores/state-store.ts';
import type { StandingBook } from './standing-book.ts';

/**
 * What was counted, read without closing windows where another replica was given a newer file: units enter the tests once, with the metrics that
 * whoever closes their windows knows of, and a list that is out of date would leave the others' values out for good.
 */
export function settledCounts(
  store: Pick<ExperimentData, 'tallies' | 'mirrors'>,
  book: Pick<StandingBook, 'hasOtherFile'>,
): Pick<ExperimentData, 'tallies' | 'mirrors'> {
  return {
    tallies: (experiment, phase, metrics, nowMs) =>
      store.tallies(experiment, phase, metrics, book.hasOtherFile(experiment) ? 0 : nowMs),
    mirrors: (experiment, phase) => store.mirrors(experiment, phase),
  };
}
