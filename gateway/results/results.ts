import type { Logger } from 'pino';
import { signatureHealth } from '../signatures/variant-misfits.ts';
import type { Describe } from '../signatures/describe.ts';
import { settledCounts } from '../standing/settled-counts.ts';
import type { StandingBook } from '../standing/standing-book.ts';
import type { GatewayState } from '../state/state.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { HistoryKeeper } from './history-keeper.ts';
import { ResultsReader } from './results-reader.ts';
import { ResultsWatch } from './results-watch.ts';

export interface ResultsParts {
  readonly experiments: Pick<StandingBook, 'current' | 'hasOtherFile'>;
  readonly state: Pick<GatewayState, 'store' | 'exposures' | 'mirrors'>;
  /** What the variants take and give, as they are loaded. */
  readonly describe: Describe;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** What experiments say: to whoever asks, to the metrics, and to the history of how it came about. */
export class Results {
  readonly reader: ResultsReader;
  readonly history: HistoryKeeper;
  readonly #watch: ResultsWatch;

  constructor({ experiments, state, describe, metrics, log }: ResultsParts) {
    const { store, exposures, mirrors } = state;
    const nowMs = (): number => store.nowMs();
    this.reader = new ResultsReader({
      counts: settledCounts(store, experiments),
      flush: () => Promise.all([exposures.flush(), mirrors.flush()]),
      signatures: (experiment) => signatureHealth(experiment, describe),
      nowMs,
    });
    this.#watch = new ResultsWatch({
      experiments: () => [...experiments.current.byModel.values()].flatMap(({ candidates }) => candidates),
      results: this.reader,
      onFault: (error) => {
        log.error({ err: error }, 'what an experiment says could not be read for the metrics');
      },
    });
    metrics.watch({ readings: () => this.#watch.look() });
    this.history = new HistoryKeeper({
      store,
      experiments: () => experiments.current,
      results: this.reader,
      nowMs,
      onFault: (error) => {
        log.error({ err: error }, 'the history of an experiment could not be extended');
      },
    });
  }

  start(): void {
    this.history.start();
  }

  async stop(): Promise<void> {
    await this.#watch.stop();
    await this.history.stop();
  }
}
