import type { CacheResult } from '../../backends/cache/answer-store.ts';
import type { BatchReport } from '../../backends/inference.ts';
import type { LimitKind } from '../limits/bucket.ts';
import type { Shed } from '../overload/overloaded.ts';
import { CellFamilies } from './exposition/cells.ts';
import type { CounterCell } from './exposition/cells.ts';
import type { Family, Format } from './exposition/format.ts';
import { BatchMetrics } from './measures/batch-metrics.ts';
import { Departed } from './measures/departed.ts';
import type { NamedVersion } from './measures/departed.ts';
import { gaugeFamilies } from './measures/gauges.ts';
import type { GaugeSources, LateSources } from './measures/gauges.ts';
import { watchProcess, writeProcessMetrics } from './measures/process-metrics.ts';
import { RequestMetrics, UNROUTED } from './measures/request-metrics.ts';
import type { Outcome, RequestRecord } from './measures/request-metrics.ts';
import { resultFamilies } from './measures/result-gauges.ts';
import { tritonFamilies } from './measures/triton-metrics.ts';
import type { TritonSources } from './measures/triton-metrics.ts';

export { UNROUTED } from './measures/request-metrics.ts';
export type { Outcome, RequestRecord, RouteLabels } from './measures/request-metrics.ts';
export type { GaugeSources, UpstreamState } from './measures/gauges.ts';

/**
 * What became of a copy of a request: both answers name the same class, or another one, or none; or there was no answer, or no room
 * to ask for one.
 */
const MIRROR_OUTCOMES = ['agree', 'disagree', 'compared', 'failed', 'dropped'] as const;
export type MirrorOutcome = (typeof MIRROR_OUTCOMES)[number];

/** What a bandit's turn came to: other weights, the same, or that it could not be taken. */
const BANDIT_TURNS = ['moved', 'kept', 'failed'] as const;
export type BanditTurn = (typeof BANDIT_TURNS)[number];

/**
 * The gateway's metrics, under the contract's names. Label values come from the configuration, never from a request. What takes more
 * than a counter stands in `measures/`, how it is written in `exposition/`.
 */
export class Metrics {
  readonly #requests = new RequestMetrics();
  readonly #batches = new BatchMetrics();
  readonly #own = new CellFamilies();
  readonly #reloads = this.#own.counter(
    'signalbox_config_reloads_total',
    'Edits of experiments, keys, certificates and the configuration that took effect (success) or were refused (failure).',
  );
  readonly #outcomes = this.#own.counter('signalbox_outcomes_total', 'Outcomes that were accepted.');
  readonly #rejectedOutcomes = this.#own.counter(
    'signalbox_outcomes_rejected_total',
    'Outcomes that were not accepted, by the code that their senders were told.',
  );
  readonly #droppedEvents = this.#own.counter(
    'signalbox_events_dropped_total',
    'What a sink could not keep: exposures, comparisons of mirrors, spans.',
  );
  readonly #cache = this.#own.counter(
    'signalbox_cache_requests_total',
    'Requests to models with a cache, by how the lookup ended.',
  );
  readonly #cacheResults: Readonly<Record<CacheResult, CounterCell>> = {
    hit: this.#cache.cell({ result: 'hit' }),
    shared: this.#cache.cell({ result: 'shared' }),
    miss: this.#cache.cell({ result: 'miss' }),
    unavailable: this.#cache.cell({ result: 'unavailable' }),
  };
  readonly #webhooks = this.#own.counter(
    'signalbox_webhook_deliveries_total',
    'Tries to tell a webhook of an event, by how they ended.',
  );
  readonly #limits = this.#own.counter('signalbox_limits_reached_total', 'Requests that a limit held back.');
  readonly #limitFallbacks = this.#own.counter(
    'signalbox_limit_fallbacks_total',
    'Requests that were held to limits of this process alone because Redis was away.',
  );
  readonly #mirrorRequests = this.#own.counter(
    'signalbox_mirror_requests_total',
    'Copies of requests to shadows, by what became of them.',
  );
  readonly #banditTurns = this.#own.counter(
    'signalbox_bandit_turns_total',
    'Times that a bandit drew weights, by what came of it.',
  );
  readonly #upstreamTries = this.#own.counter(
    'signalbox_upstream_tries_total',
    "Requests to variants' own servers, retries too, by what came of them.",
  );
  readonly #upstreamRetries = this.#own.counter(
    'signalbox_upstream_retries_total',
    "Requests to variants' own servers that were sent again.",
  );
  readonly #shed = this.#own.counter(
    'signalbox_shed_total',
    'Requests that were turned away because there was too much to do.',
  );
  readonly #late: LateSources = {
    spooledOutcomes: () => 0,
    clockOffsetsMs: () => [],
    stateMayBeEvicted: () => false,
    upstreams: () => [],
    shadows: () => [],
    certificates: () => [],
    keys: () => [],
    readings: () => [],
  };
  readonly #families: readonly Family[];
  readonly #sources: GaugeSources;
  readonly #departedVersions = new Departed<NamedVersion>(({ model, version }) => `${model} ${version}`);
  readonly #departedExperiments = new Departed<string>((key) => key);
  readonly #nowMs: () => number;

  /**
   * @param triton left out: nothing is told under Triton's names
   * @param nowMs a clock that is never set
   */
  constructor(sources: GaugeSources, triton?: TritonSources, nowMs = (): number => performance.now()) {
    this.#sources = sources;
    this.#nowMs = nowMs;
    this.#families = [
      ...this.#requests.families,
      ...this.#batches.families,
      ...this.#own.all,
      ...gaugeFamilies(sources, this.#late),
      ...resultFamilies(() => this.#late.readings()),
      ...(triton === undefined ? [] : tritonFamilies(triton)),
    ];
    this.#reloads.cell({ result: 'success' });
    this.#reloads.cell({ result: 'failure' });
    this.#limitFallbacks.cell({});
    watchProcess();
  }

  /** From now on these are read at each scrape; what isn't named stays as it is. */
  watch(sources: Partial<LateSources>): void {
    Object.assign(this.#late, sources);
  }

  /** The exposition, whole. */
  async render(format: Format = 'text'): Promise<string> {
    this.#begin();
    const ofProcess = await writeProcessMetrics(format);
    const own = this.#families.map((family) => family.write(format)).join('');
    return `${own}${ofProcess}${format === 'openmetrics' ? '# EOF\n' : ''}`;
  }

  /**
   * A series that begins with its first event would not be seen to rise: those whose labels the configuration gives are there from the first scrape
   * on that finds what they are of. Those of versions that have long been unloaded, and of experiments that have long been removed, go.
   */
  #begin(): void {
    const loaded = [...this.#sources.instances()];
    for (const version of this.#departedVersions.gone(loaded, this.#nowMs())) {
      this.#requests.forget(version);
      this.#batches.forget(version);
    }
    for (const key of this.#departedExperiments.gone(this.#sources.experiments(), this.#nowMs())) {
      this.#requests.forgetExperiment(key);
      this.#own.forget(({ experiment }) => experiment === key);
    }
    for (const { model, version } of loaded) this.#batches.begin(model, version);
    for (const { experiment, variant } of this.#late.shadows())
      for (const result of MIRROR_OUTCOMES) this.#mirrorRequests.cell({ experiment, variant, result });
    for (const { experiment, variant } of this.#late.upstreams())
      this.#upstreamRetries.cell({ experiment, variant });
  }

  recordRequest(request: RequestRecord): void {
    this.#requests.record(request);
  }

  /** A call that was not let in, and so was not routed. */
  recordRefusal(outcome: Outcome, protocol: RequestRecord['protocol']): void {
    this.recordRequest({
      route: UNROUTED,
      reason: '',
      outcome,
      protocol,
      totalMs: 0,
      routeMs: 0,
      queueMs: undefined,
      computeMs: undefined,
      traceId: undefined,
    });
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

  /** @param model of whose queue it was; left out: it was none's */
  recordShed(reason: Shed, model = ''): void {
    this.#shed.cell({ reason, model }).add(1);
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

  recordBanditTurn(experiment: string, result: BanditTurn): void {
    // A series that begins with its first event would not be seen to rise.
    for (const known of BANDIT_TURNS) this.#banditTurns.cell({ experiment, result: known });
    this.#banditTurns.cell({ experiment, result }).add(1);
  }

  recordUpstreamTry(experiment: string, variant: string, result: string): void {
    this.#upstreamTries.cell({ experiment, variant, result }).add(1);
  }

  recordUpstreamRetry(experiment: string, variant: string): void {
    this.#upstreamRetries.cell({ experiment, variant }).add(1);
  }

  recordBatch(report: BatchReport): void {
    this.#batches.record(report);
  }

  recordWorkerRestart(model: string, version: number): void {
    this.#batches.recordWorkerRestart(model, version);
  }

  recordReload(result: 'success' | 'failure'): void {
    this.#reloads.cell({ result }).add(1);
  }
}
