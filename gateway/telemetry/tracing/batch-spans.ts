import { ROOT_CONTEXT } from '@opentelemetry/api';
import type { SpanContext, Tracer } from '@opentelemetry/api';

/** Requests of one batch are recorded within moments of each other. */
const GATHER_MS = 250;

/** A batch that was run, as far as its recorded requests tell. */
interface Batch {
  readonly model: string;
  readonly version: string;
  readonly rows: number;
  /** Milliseconds since 1970. */
  readonly startMs: number;
  readonly computeMs: number;
  readonly runs: SpanContext[];
}

/** Writes one span for each batch with a recorded request, in a trace of its own, linked to the runs of all of them. */
export class BatchSpans {
  readonly #tracer: Tracer;
  /** By model, version and number, for as long as more may come. */
  readonly #gathering = new Map<string, Batch>();
  #timer: NodeJS.Timeout | undefined;

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  /** @param batchId the same for all requests of the batch */
  add(batchId: number, run: SpanContext, batch: Omit<Batch, 'runs'>): void {
    const key = `${batch.model} ${batch.version} ${batchId}`;
    const known = this.#gathering.get(key);
    if (known !== undefined) known.runs.push(run);
    else this.#gathering.set(key, { ...batch, runs: [run] });
    this.#timer ??= setTimeout(() => {
      this.flush();
    }, GATHER_MS).unref();
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { model, version, rows, startMs, computeMs, runs } of this.#gathering.values()) {
      const attributes = {
        'signalbox.model': model,
        'signalbox.version': version,
        'signalbox.batch.rows': rows,
      };
      const links = runs.map((context) => ({ context }));
      const span = this.#tracer.startSpan(
        `batch ${model}`,
        { startTime: startMs, attributes, links },
        ROOT_CONTEXT,
      );
      span.end(startMs + computeMs);
    }
    this.#gathering.clear();
  }
}
