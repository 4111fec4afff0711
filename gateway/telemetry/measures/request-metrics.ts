import type { Reason } from '../../../experiments/decision.ts';
import { CellFamilies } from '../exposition/cells.ts';
import type { CounterCell, HistogramCell } from '../exposition/cells.ts';
import type { Family, Labels } from '../exposition/format.ts';
import type { NamedVersion } from './departed.ts';

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
  readonly routeMs: number;
  readonly queueMs: number | undefined;
  readonly computeMs: number | undefined;
  /** Of a request whose spans were written, so that they can be found from its times. */
  readonly traceId: string | undefined;
}

/** Seconds: from a tenth of a millisecond, where a small model answers, to the longest timeouts. */
const SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

/** Seconds: a decision takes microseconds, unless a rule of it is costly. */
const ROUTE_SECONDS = [0.000005, 0.00001, 0.000025, 0.00005, 0.0001, 0.001, 0.01];

/** The series of one route. */
interface RouteCells {
  /** By reason, outcome and protocol. */
  readonly requests: Map<string, CounterCell>;
  /** Undefined for requests that no experiment routed. */
  readonly exposures: CounterCell | undefined;
  /** Undefined for requests that were refused before they were routed. */
  readonly times: Readonly<Record<'duration' | 'route' | 'queue' | 'compute', HistogramCell>> | undefined;
}

/** Requests: how many there were, where they went, how they ended, and how long each part took. */
export class RequestMetrics {
  readonly #families = new CellFamilies();
  readonly #requests = this.#families.counter(
    'signalbox_requests_total',
    'Requests by where they went and how they ended.',
  );
  readonly #duration = this.#families.histogram(
    'signalbox_request_duration_seconds',
    'Time from a request, with all of its body, to its encoded answer.',
    SECONDS,
  );
  readonly #route = this.#families.histogram(
    'signalbox_route_duration_seconds',
    'Time to decide which version answers a request.',
    ROUTE_SECONDS,
  );
  readonly #queue = this.#families.histogram(
    'signalbox_queue_duration_seconds',
    'Time a request waited for its batch to start.',
    SECONDS,
  );
  readonly #compute = this.#families.histogram(
    'signalbox_compute_duration_seconds',
    "Time a request's batch took in the model.",
    SECONDS,
  );
  readonly #exposures = this.#families.counter(
    'signalbox_exposures_total',
    'Requests that count in the results of an experiment.',
  );
  #routeCells = new WeakMap<RouteLabels, RouteCells>();

  get families(): readonly Family[] {
    return this.#families.all;
  }

  forget({ model, version }: NamedVersion): void {
    this.#forget((labels) => labels.model === model && labels.version === String(version));
  }

  forgetExperiment(key: string): void {
    this.#forget(({ experiment }) => experiment === key);
  }

  #forget(isMeant: (labels: Labels) => boolean): void {
    this.#families.forget(isMeant);
    this.#routeCells = new WeakMap();
  }

  record(request: RequestRecord): void {
    const { route, reason, outcome, protocol, totalMs, routeMs, queueMs, computeMs, traceId } = request;
    const cells = this.#cellsOf(route);
    const key = `${reason} ${outcome} ${protocol}`;
    let requests = cells.requests.get(key);
    if (requests === undefined) {
      requests = this.#requests.cell({ ...route, reason, outcome, protocol });
      cells.requests.set(key, requests);
    }
    requests.add(1);
    if (reason === 'split' || reason === 'sticky') cells.exposures?.add(1);
    const { times } = cells;
    if (times === undefined) return;
    times.duration.observe(totalMs / 1000, traceId);
    times.route.observe(routeMs / 1000);
    if (queueMs !== undefined) times.queue.observe(queueMs / 1000, traceId);
    if (computeMs !== undefined) times.compute.observe(computeMs / 1000, traceId);
  }

  #cellsOf(route: RouteLabels): RouteCells {
    let cells = this.#routeCells.get(route);
    if (cells === undefined) {
      const { experiment, variant } = route;
      cells = {
        requests: new Map(),
        exposures: experiment === '' ? undefined : this.#exposures.cell({ experiment, variant }),
        times: route === UNROUTED ? undefined : this.#timesOf({ ...route }),
      };
      this.#routeCells.set(route, cells);
    }
    return cells;
  }

  #timesOf(labels: Labels): RouteCells['times'] {
    return {
      duration: this.#duration.cell(labels),
      route: this.#route.cell(labels),
      queue: this.#queue.cell(labels),
      compute: this.#compute.cell(labels),
    };
  }
}
