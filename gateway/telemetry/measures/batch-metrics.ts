import type { BatchReport } from '../../../backends/inference.ts';
import { CellFamilies } from '../exposition/cells.ts';
import type { CounterCell, HistogramCell } from '../exposition/cells.ts';
import type { Family } from '../exposition/format.ts';
import type { NamedVersion } from './departed.ts';

/** The series of one version's batches. */
interface BatchCells {
  readonly size: HistogramCell;
  /** By why they were released. */
  readonly batches: Map<string, CounterCell>;
}

/** Batches, and the workers that run them. */
export class BatchMetrics {
  readonly #families = new CellFamilies();
  readonly #size = this.#families.histogram(
    'signalbox_batch_size',
    'Rows of the batches that were run.',
    [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
  );
  readonly #batches = this.#families.counter('signalbox_batches_total', 'Batches by why they were released.');
  readonly #workerRestarts = this.#families.counter(
    'signalbox_worker_restarts_total',
    'Workers that died and were replaced.',
  );
  readonly #cells = new Map<string, BatchCells>();

  get families(): readonly Family[] {
    return this.#families.all;
  }

  record({ model, version, rows, reason }: BatchReport): void {
    const labels = { model, version: String(version) };
    const key = `${model} ${version}`;
    let cells = this.#cells.get(key);
    if (cells === undefined) {
      cells = { size: this.#size.cell(labels), batches: new Map() };
      this.#cells.set(key, cells);
    }
    let batches = cells.batches.get(reason);
    if (batches === undefined) {
      batches = this.#batches.cell({ ...labels, release_reason: reason });
      cells.batches.set(reason, batches);
    }
    cells.size.observe(rows);
    batches.add(1);
  }

  forget({ model, version }: NamedVersion): void {
    this.#families.forget((labels) => labels.model === model && labels.version === String(version));
    this.#cells.delete(`${model} ${version}`);
  }

  /** A version is loaded, whose counters can be seen to rise from now on. */
  begin(model: string, version: number): void {
    this.#workerRestarts.cell({ model, version: String(version) });
  }

  recordWorkerRestart(model: string, version: number): void {
    this.#workerRestarts.cell({ model, version: String(version) }).add(1);
  }
}
