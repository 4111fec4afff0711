import { Gauge, Registry } from 'prom-client';
import type { CacheResult } from '../../backends/cache/answer-store.ts';
import type { BatchReport } from '../../backends/inference.ts';
import type { Reason } from '../../experiments/decision.ts';
import type { LimitKind } from '../limits/bucket.ts';
import type { GpuUsage } from './gpu-usage.ts';
import type { Shed } from '../overload/overloaded.ts';
import { CellFamily } from './cells.ts';
import type { CounterCell, HistogramCell, Labels } from './cells.ts';

/** How a request ended, as the metrics count it. */
export type Outcome =
  'ok' | 'client_error' | 'error' | 'timeout' | 'shed' | 'limited' | 'denied' | 'cancelled';

/**
 * What became of a copy of a request: both answers name the same class, or another one, or none; or there was no answer, or no room
 * to ask for one.
 */
export type MirrorOutcome = 'agree' | 'disagree' | 'compared' | 'failed' | 'dropped';

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
    readonly hung: number;
    readonly wanted: number;
  }>;
  /** Shares from 0 to 1. */
  weights(): Iterable<{ readonly experiment: string; readonly variant: string; readonly share: number }>;
  /** Which change of its weights an experiment has in force; 0: its file's own, which no store knows of. */
  weightsVersions(): Iterable<{ readonly experiment: string; readonly version: number }>;
  /** What the GPUs do, where they tell. */
  gpus(): Iterable<GpuUsage>;
  /** -1 taken back, 0 not begun, 1 under way, 2 paused, 3 everybody gets what was rolled out. */
  rolloutStates(): Iterable<{ readonly experiment: string; readonly state: number }>;
}

/** A variant that lives on another server. */
export interface UpstreamState {
  readonly experiment: string;
  readonly variant: string;
  readonly isReady: boolean;
}

/** Seconds: from a tenth of a millisecond, where a small model answers, to the longest timeouts. */
const SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

/** The series of one route. */
interface RouteCells {
  /** By reason, outcome and protocol. */
  readonly requests: Map<string, CounterCell>;
  /** Undefined for requests that no experiment routed. */
  readonly exposures: CounterCell | undefined;
  /** Undefined for requests that were refused before they were routed. */
  readonly times: Readonly<Record<'duration' | 'queue' | 'compute', HistogramCell>> | undefined;
}

/** The series of one version's batches. */
interface BatchCells {
  readonly size: HistogramCell;
  readonly batches: Map<string, CounterCell>;
}

/** The gateway's metrics, under the contract's names. Label values come from the configuration, never from a request. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests = CellFamily.counter(
    'signalbox_requests_total',
    'Requests by where they went and how they ended.',
  );
  readonly #duration = CellFamily.histogram(
    'signalbox_request_duration_seconds',
    'Time from the arrival of a request to its encoded answer.',
    SECONDS,
  );
  readonly #queue = CellFamily.histogram(
    'signalbox_queue_duration_seconds',
    'Time a request waited for its batch to start.',
    SECONDS,
  );
  readonly #compute = CellFamily.histogram(
    'signalbox_compute_duration_seconds',
    "Time a request's batch took in the model.",
    SECONDS,
  );
  readonly #batchSize = CellFamily.histogram(
    'signalbox_batch_size',
    'Rows of the batches that were run.',
    [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
  );
  readonly #batches = CellFamily.counter('signalbox_batches_total', 'Batches by why they were released.');
  readonly #workerRestarts = CellFamily.counter(
    'signalbox_worker_restarts_total',
    'Workers that died and were replaced.',
  );
  readonly #reloads = CellFamily.counter(
    'signalbox_config_reloads_total',
    'Edits of experiment files that took effect (success) or were refused (failure).',
  );
  readonly #exposures = CellFamily.counter(
    'signalbox_exposures_total',
    'Requests that count in the results of an experiment.',
  );
  readonly #outcomes = CellFamily.counter('signalbox_outcomes_total', 'Outcomes that were accepted.');
  readonly #rejectedOutcomes = CellFamily.counter(
    'signalbox_outcomes_rejected_total',
    'Outcomes that were not accepted, by the code that their senders were told.',
  );
  readonly #webhooks = CellFamily.counter(
    'signalbox_webhook_deliveries_total',
    'Tries to tell a webhook of an event, by how they ended.',
  );
  readonly #droppedEvents = CellFamily.counter(
    'signalbox_events_dropped_total',
    'Exposures that a sink could not keep.',
  );
  readonly #limits = CellFamily.counter('signalbox_limits_reached_total', 'Requests that a limit held back.');
  readonly #limitFallbacks = CellFamily.counter(
    'signalbox_limit_fallbacks_total',
    'Requests that were held to limits of this process alone because Redis was away.',
  );
  readonly #mirrorRequests = CellFamily.counter(
    'signalbox_mirror_requests_total',
    'Copies of requests to shadows, by what became of them.',
  );
  readonly #upstreamTries = CellFamily.counter(
    'signalbox_upstream_tries_total',
    "Requests to variants' own servers, retries too, by what came of them.",
  );
  readonly #upstreamRetries = CellFamily.counter(
    'signalbox_upstream_retries_total',
    "Requests to variants' own servers that were sent again.",
  );
  readonly #cache = CellFamily.counter(
    'signalbox_cache_requests_total',
    'Requests to models with a cache, by how the lookup ended.',
  );
  readonly #cacheResults: Readonly<Record<CacheResult, CounterCell>> = {
    hit: this.#cache.cell({ result: 'hit' }),
    shared: this.#cache.cell({ result: 'shared' }),
    miss: this.#cache.cell({ result: 'miss' }),
    unavailable: this.#cache.cell({ result: 'unavailable' }),
  };
  readonly #shed = CellFamily.counter(
    'signalbox_shed_total',
    'Requests that were turned away because there was too much to do.',
  );
  readonly #families: readonly (CellFamily<CounterCell> | CellFamily<HistogramCell>)[];
  #spooledOutcomes = (): number => 0;
  #upstreamStates = (): Iterable<UpstreamState> => [];
  #certificates: () => Iterable<{ readonly plane: string; readonly atSeconds: number }> = () => [];
  #keys: () => Iterable<{ readonly id: string; readonly expiresAtMs: number }> = () => [];
  readonly #routeCells = new WeakMap<RouteLabels, RouteCells>();
  readonly #batchCells = new Map<string, BatchCells>();

  constructor(sources: GaugeSources) {
    this.#families = [
      this.#requests,
      this.#duration,
      this.#queue,
      this.#compute,
      this.#batchSize,
      this.#batches,
      this.#workerRestarts,
      this.#reloads,
      this.#exposures,
      this.#outcomes,
      this.#rejectedOutcomes,
      this.#droppedEvents,
      this.#cache,
      this.#webhooks,
      this.#limits,
      this.#limitFallbacks,
      this.#mirrorRequests,
      this.#upstreamTries,
      this.#upstreamRetries,
      this.#shed,
    ];
    this.#reloads.cell({ result: 'success' });
    this.#reloads.cell({ result: 'failure' });
    this.#limitFallbacks.cell({});
    this.#addGauges(sources);
  }

  /** @param spooled outcomes that wait on disk for the state store */
  watchSpool(spooled: () => number): void {
    this.#spooledOutcomes = spooled;
  }

  /** @param states of the variants that live on other servers */
  watchUpstreams(states: () => Iterable<UpstreamState>): void {
    this.#upstreamStates = states;
  }
  /** @param read when each plane's certificate ends */
  watchCertificates(read: () => Iterable<{ readonly plane: string; readonly atSeconds: number }>): void {
    this.#certificates = read;
  }
  /** @param read the keys in force */
  watchKeys(read: () => Iterable<{ readonly id: string; readonly expiresAtMs: number }>): void {
    this.#keys = read;
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The Prometheus text exposition. */
  async render(): Promise<string> {
    const gauges = await this.#registry.metrics();
    return `${this.#families.map((family) => family.write()).join('\n')}\n${gauges}`;
  }

  recordRequest({ route, reason, outcome, protocol, totalMs, queueMs, computeMs }: RequestRecord): void {
    const cells = this.#cellsOf(route);
    const key = `${reason} ${outcome} ${protocol}`;
    let requests = cells.requests.get(key);
    if (requests === undefined) {
      requests = this.#requests.cell({ ...route, reason, outcome, protocol });
      cells.requests.set(key, requests);
    }
    requests.add(1);
    if (reason === 'split' || reason === 'sticky') cells.exposures?.add(1);
    cells.times?.duration.observe(totalMs / 1000);
    if (queueMs !== undefined) cells.times?.queue.observe(queueMs / 1000);
    if (computeMs !== undefined) cells.times?.compute.observe(computeMs / 1000);
  }

  /** A call that was not let in, and so was not routed. */
  recordRefusal(outcome: Outcome, protocol: RequestRecord['protocol']): void {
    const [queueMs, computeMs] = [undefined, undefined];
    this.recordRequest({ route: UNROUTED, reason: '', outcome, protocol, totalMs: 0, queueMs, computeMs });
  }

  recordOutcome(experiment: string, variant: string, metric: string): void {
    this.#outcomes.cell({ experiment, variant, metric }).add(1);
  }

  recordRejectedOutcome(code: string): void {
    this.#rejectedOutcomes.cell({ code }).add(1);
  }

  recordLimit(limit: LimitKind): void {
    this.#limits.cell({ limit }).add(1);
  }

  recordShed(reason: Shed): void {
    this.#shed.cell({ reason }).add(1);
  }

  recordLimitFallback(): void {
    this.#limitFallbacks.cell({}).add(1);
  }

  recordCache(result: CacheResult): void {
    this.#cacheResults[result].add(1);
  }

  recordWebhook(webhook: string, result: 'ok' | 'retried' | 'failed'): void {
    this.#webhooks.cell({ webhook, result }).add(1);
  }

  recordDroppedEvents(sink: string, count: number): void {
    this.#droppedEvents.cell({ sink }).add(count);
  }

  /** @param variant the shadow's */
  recordMirror(experiment: string, variant: string, result: MirrorOutcome): void {
    this.#mirrorRequests.cell({ experiment, variant, result }).add(1);
  }

  recordUpstreamTry(experiment: string, variant: string, result: string): void {
    this.#upstreamTries.cell({ experiment, variant, result }).add(1);
  }

  recordUpstreamRetry(experiment: string, variant: string): void {
    this.#upstreamRetries.cell({ experiment, variant }).add(1);
  }

  recordBatch({ model, version, rows, reason }: BatchReport): void {
    const labels = { model, version: String(version) };
    const key = `${model} ${version}`;
    let cells = this.#batchCells.get(key);
    if (cells === undefined) {
      cells = { size: this.#batchSize.cell(labels), batches: new Map() };
      this.#batchCells.set(key, cells);
    }
    let batches = cells.batches.get(reason);
    if (batches === undefined) {
      batches = this.#batches.cell({ ...labels, release_reason: reason });
      cells.batches.set(reason, batches);
    }
    cells.size.observe(rows);
    batches.add(1);
  }

  recordWorkerRestart(model: string, version: number): void {
    this.#workerRestarts.cell({ model, version: String(version) }).add(1);
  }

  recordReload(result: 'success' | 'failure'): void {
    this.#reloads.cell({ result }).add(1);
  }

  #cellsOf(route: RouteLabels): RouteCells {
    let cells = this.#routeCells.get(route);
    if (cells === undefined) {
      const times = route === UNROUTED ? undefined : this.#timesOf({ ...route });
      const { experiment, variant } = route;
      const exposures = experiment === '' ? undefined : this.#exposures.cell({ experiment, variant });
      cells = { requests: new Map(), exposures, times };
      this.#routeCells.set(route, cells);
    }
    return cells;
  }

  #timesOf(labels: Labels): RouteCells['times'] {
    return {
      duration: this.#duration.cell(labels),
      queue: this.#queue.cell(labels),
      compute: this.#compute.cell(labels),
    };
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
    gauge(
      'signalbox_certificate_expiry_timestamp_seconds',
      "When a plane's certificate ends, in seconds since 1970.",
      ['plane'],
      (self) => {
        for (const { plane, atSeconds } of this.#certificates()) self.set({ plane }, atSeconds);
      },
    );
    gauge(
      'signalbox_key_expiry_timestamp_seconds',
      'When a key ends, in seconds since 1970; keys without an end are left out.',
      ['key'],
      (self) => {
        for (const { id, expiresAtMs } of this.#keys())
          if (expiresAtMs < Infinity) self.set({ key: id }, expiresAtMs / 1000);
      },
    );
    gauge('signalbox_outcomes_spooled', 'Outcomes on disk that wait for the state store.', [], (self) => {
      self.set(this.#spooledOutcomes());
    });
    gauge(
      'signalbox_upstream_ready',
      "Whether a variant's own server said at the last check that it can answer: 1 or 0.",
      ['experiment', 'variant'],
      (self) => {
        for (const { experiment, variant, isReady } of this.#upstreamStates())
          self.set({ experiment, variant }, isReady ? 1 : 0);
      },
    );
    gauge('signalbox_instances', 'Instances by state.', ['model', 'version', 'state'], (self) => {
      for (const { model, version, ready, hung, wanted } of sources.instances()) {
        self.set({ model, version, state: 'ready' }, ready);
        self.set({ model, version, state: 'hung' }, hung);
        self.set({ model, version, state: 'starting' }, wanted - ready - hung);
      }
    });
    gauge(
      'signalbox_gpu_utilization_ratio',
      'Share of the time in which a GPU ran something, 0 to 1.',
      ['gpu'],
      (self) => {
        for (const { gpu, utilization } of sources.gpus()) self.set({ gpu }, utilization);
      },
    );
    gauge(
      'signalbox_gpu_memory_used_bytes',
      'Memory of a GPU that is in use, by whomever.',
      ['gpu'],
      (self) => {
        for (const { gpu, usedBytes } of sources.gpus()) self.set({ gpu }, usedBytes);
      },
    );
    gauge('signalbox_gpu_memory_bytes', 'Memory that a GPU has.', ['gpu'], (self) => {
      for (const { gpu, totalBytes } of sources.gpus()) self.set({ gpu }, totalBytes);
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
    gauge(
      'signalbox_experiment_weights_version',
      'Which change of its weights an experiment has in force; replicas of the same version assign alike.',
      ['experiment'],
      (self) => {
        for (const { experiment, version } of sources.weightsVersions()) self.set({ experiment }, version);
      },
    );
    gauge(
      'signalbox_rollout_state',
      'Where a rollout stands: -1 taken back, 0 not begun, 1 under way, 2 paused, 3 everybody gets it.',
      ['experiment'],
      (self) => {
        for (const { experiment, state } of sources.rolloutStates()) self.set({ experiment }, state);
      },
    );
  }
}
