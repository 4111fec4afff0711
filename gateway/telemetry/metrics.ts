import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { BatchReport } from '../../backends/inference.ts';
import type { Reason } from '../../experiments/decision.ts';

/** How a request ended, as the metrics count it. */
export type Outcome =
  'ok' | 'client_error' | 'error' | 'timeout' | 'shed' | 'limited' | 'denied' | 'cancelled';

/** Whom a request was routed to; all empty for one that was refused before it was routed. */
export interface RouteLabels {
  readonly model: string;
  readonly version: string;
  readonly experiment: string;
  readonly variant: string;
}

export const UNROUTED: RouteLabels = { model: '', version: '', experiment: '', variant: '' };

/** A request as it is counted. Times are in milliseconds; undefined where the request didn't get that far. */
export interface RequestRecord {
  readonly route: RouteLabels;
  readonly reason: Reason | '';
  readonly outcome: Outcome;
  readonly protocol: 'http' | 'grpc';
  readonly totalMs: number;
  readonly queueMs: number | undefined;
  readonly computeMs: number | undefined;
}

/** What is read at each scrape rather than counted. */
export interface GaugeSources {
  queues(): Iterable<{ readonly model: string; readonly version: number; readonly queued: number }>;
  instances(): Iterable<{
    readonly model: string;
    readonly version: number;
    readonly ready: number;
    readonly wanted: number;
  }>;
  /** Shares from 0 to 1. */
  weights(): Iterable<{ readonly experiment: string; readonly variant: string; readonly share: number }>;
}

/** Seconds: from a tenth of a millisecond, where a small model answers, to the longest timeouts. */
const SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

const ROUTE_LABELS = ['model', 'version', 'experiment', 'variant'] as const;

/** The gateway's metrics, under the contract's names. Label values come from the configuration, never from a request. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: Counter;
  readonly #duration: Histogram;
  readonly #queue: Histogram;
  readonly #compute: Histogram;
  readonly #batchSize: Histogram;
  readonly #batches: Counter;
  readonly #workerRestarts: Counter;
  readonly #reloads: Counter;

  constructor(sources: GaugeSources) {
    const registers = [this.#registry];
    const histogram = (
      name: string,
      help: string,
      labelNames: readonly string[],
      buckets: number[],
    ): Histogram => new Histogram({ name, help, labelNames: [...labelNames], buckets, registers });
    const counter = (name: string, help: string, labelNames: readonly string[]): Counter =>
      new Counter({ name, help, labelNames: [...labelNames], registers });

    this.#requests = counter('signalbox_requests_total', 'Requests by where they went and how they ended.', [
      ...ROUTE_LABELS,
      'reason',
      'outcome',
      'protocol',
    ]);
    this.#duration = histogram(
      'signalbox_request_duration_seconds',
      'Time from the arrival of a request to its encoded answer.',
      ROUTE_LABELS,
      SECONDS,
    );
    this.#queue = histogram(
      'signalbox_queue_duration_seconds',
      'Time a request waited for its batch to start.',
      ROUTE_LABELS,
      SECONDS,
    );
    this.#compute = histogram(
      'signalbox_compute_duration_seconds',
      "Time a request's batch took in the model.",
      ROUTE_LABELS,
      SECONDS,
    );
    this.#batchSize = histogram(
      'signalbox_batch_size',
      'Rows of the batches that were run.',
      ['model', 'version'],
      [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
    );
    this.#batches = counter('signalbox_batches_total', 'Batches by why they were released.', [
      'model',
      'version',
      'release_reason',
    ]);
    this.#workerRestarts = counter(
      'signalbox_worker_restarts_total',
      'Workers that died and were replaced.',
      ['model', 'version'],
    );
    this.#reloads = counter(
      'signalbox_config_reloads_total',
      'Edits of experiment files that took effect (success) or were refused (failure).',
      ['result'],
    );
    this.#reloads.inc({ result: 'success' }, 0);
    this.#reloads.inc({ result: 'failure' }, 0);
    this.#addGauges(sources);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The Prometheus text exposition. */
  render(): Promise<string> {
    return this.#registry.metrics();
  }

  recordRequest(record: RequestRecord): void {
    const { route, reason, outcome, protocol } = record;
    this.#requests.inc({ ...route, reason, outcome, protocol });
    if (route === UNROUTED) return;
    const labels = { ...route };
    this.#duration.observe(labels, record.totalMs / 1000);
    if (record.queueMs !== undefined) this.#queue.observe(labels, record.queueMs / 1000);
    if (record.computeMs !== undefined) this.#compute.observe(labels, record.computeMs / 1000);
  }

  recordBatch({ model, version, rows, reason }: BatchReport): void {
    this.#batchSize.observe({ model, version }, rows);
    this.#batches.inc({ model, version, release_reason: reason });
  }

  recordWorkerRestart(model: string, version: number): void {
    this.#workerRestarts.inc({ model, version });
  }

  recordReload(result: 'success' | 'failure'): void {
    this.#reloads.inc({ result });
  }

  #addGauges(sources: GaugeSources): void {
    const gauge = (
      name: string,
      help: string,
      labelNames: readonly string[],
      set: (gauge: Gauge) => void,
    ): void => {
      new Gauge({
        name,
        help,
        labelNames: [...labelNames],
        registers: [this.#registry],
        collect() {
          this.reset();
          set(this);
        },
      });
    };
    gauge('signalbox_queue_depth', 'Requests that wait for an instance.', ['model', 'version'], (self) => {
      for (const { model, version, queued } of sources.queues()) self.set({ model, version }, queued);
    });
    gauge('signalbox_instances', 'Instances by state.', ['model', 'version', 'state'], (self) => {
      for (const { model, version, ready, wanted } of sources.instances()) {
        self.set({ model, version, state: 'ready' }, ready);
        self.set({ model, version, state: 'starting' }, wanted - ready);
      }
    });
    gauge(
      'signalbox_experiment_weight',
      'Share of the enrolled units that a variant gets, 0 to 1, as it is in force.',
      ['experiment', 'variant'],
      (self) => {
        for (const { experiment, variant, share } of sources.weights())
          self.set({ experiment, variant }, share);
      },
    );
  }
}
