import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import { formatProblem } from '../documents/problem.ts';
import type { RunJournal } from '../backends/onnx/run-journal.ts';
import type { ModelRepository } from '../backends/repository/repository.ts';
import type { DecisionContext } from '../experiments/decision.ts';
import { NO_EXPERIMENTS } from '../experiments/experiment-set.ts';
import type { ExperimentSet } from '../experiments/experiment-set.ts';
import { StickyUnits } from './sticky/sticky-units.ts';
import { Bandits } from './allocation/bandits.ts';
import { Door } from './door.ts';
import { ExperimentFiles } from './reload/experiment-files.ts';
import type { Config } from './config/config.ts';
import { openRepository } from './open-repository.ts';
import { MainThreadLoad } from './mirror/main-thread-load.ts';
import { Mirrors } from './mirror/mirrors.ts';
import type { BodyBudget } from './overload/body-budget.ts';
import { Pipeline } from './pipeline/pipeline.ts';
import { PredictionLog } from './pipeline/prediction-log.ts';
import { Router } from './pipeline/route.ts';
import { neededBy } from './rollouts/needed-versions.ts';
import { Rollouts } from './rollouts/rollouts.ts';
import { Audit } from './audit/audit.ts';
import { Control } from './standing/control.ts';
import { KeptStandings } from './standing/kept-standings.ts';
import { StandingBook } from './standing/standing-book.ts';
import { HistoryKeeper } from './results/history-keeper.ts';
import { ResultsReader } from './results/results-reader.ts';
import { ResultsWatch } from './results/results-watch.ts';
import { GatewayState } from './state/state.ts';
import { AccessLog } from './telemetry/access-log.ts';
import { countAndTell } from './telemetry/drops.ts';
import { gaugeSources } from './telemetry/gauge-sources.ts';
import { Metrics } from './telemetry/metrics.ts';
import { Tracing } from './telemetry/tracing/tracing.ts';
import type { Admission } from './trust/admission.ts';
import type { KeyDesk } from './trust/key-desk.ts';
import type { KeyStore } from './trust/key-store.ts';
import { StoredKeys } from './trust/stored-keys.ts';
import { WatchedKeys } from './trust/watched-keys.ts';
import { openUpstreams } from './upstream/open-upstreams.ts';
import type { Upstreams } from './upstream/upstreams.ts';

/** Time between two looks at the folders; a change takes effect when two looks saw the same. */
const LOOK_EVERY_MS = 500;

export interface GatewayOptions {
  /** Where what runs is written, for whoever outlives a crash of this process. */
  readonly journal?: RunJournal;
  /** Told when no instance of a version is left that doesn't hang: only a new process can serve it again. */
  readonly onAllHung?: (model: string, version: number) => void;
}

/** What the faces share: the models, the experiments, and the one pipeline in front of them. */
export class Gateway {
  readonly config: Config;
  readonly log: Logger;
  readonly repository: ModelRepository;
  /** The experiments in force, and where each stands. */
  readonly experiments: StandingBook;
  /** What people do to experiments by hand. */
  readonly control: Control;
  /** The variants that live on other servers. */
  readonly upstreams: Upstreams;
  readonly metrics: Metrics;
  readonly admission: Admission;
  readonly bodies: BodyBudget;
  readonly state: GatewayState;
  readonly pipeline: Pipeline;
  /** What experiments say. */
  readonly results: ResultsReader;
  /** How that came about. */
  readonly history: HistoryKeeper;
  readonly rollouts: Rollouts;
  /** What decisions need beside the experiments and the caller. */
  readonly deciding: DecisionContext;

  /** Names this process among the replicas; no other has the same. */
  readonly replica = `${hostname()}:${process.pid}:${randomUUID()}`;

  readonly #audit: Audit;
  readonly #files: ExperimentFiles;
  readonly #mirrors: Mirrors;
  readonly #tracing: Tracing | undefined;
  readonly #resultsWatch: ResultsWatch;
  readonly #bandits: Bandits;
  /** What calls pass before they are routed. */
  readonly door: Door;
  readonly keyDesk: KeyDesk | undefined;

  #state: 'starting' | 'ready' | 'stopping' = 'starting';
  readonly #readinessListeners = new Set<() => void>();
  #look: Promise<void> = Promise.resolve();
  /** Why the model repository could not be read at the last look. */
  #modelsFault = '';
  #timer: NodeJS.Timeout | undefined;
  readonly sticky: StickyUnits;

  /**
   * Loads the models and the experiments.
   *
   * @throws InvalidDocuments, Error where a model repository can't be read
   */
  static async open(
    config: Config,
    log: Logger,
    { journal, onAllHung }: GatewayOptions = {},
  ): Promise<Gateway> {
    const { keys: place } = config.auth;
    const fileKeys = place?.kind === 'file' ? await WatchedKeys.open(place.file) : undefined;
    // The events of loading come before there is a gateway to count them.
    let metrics: Metrics | undefined;
    let experiments: StandingBook | undefined;
    let onWorkerDeath: ((model: string, version: number, reason: string) => void) | undefined;
    const repository = await openRepository(config, log, {
      journal,
      onAllHung,
      metrics: () => metrics,
      neededBy: (model, version) => neededBy(experiments?.situations ?? [], model, version),
      onWorkerDeath: (model, version, reason) => onWorkerDeath?.(model, version, reason),
    });
    let upstreams: Upstreams | undefined;
    try {
      const files = new ExperimentFiles(
        config.experiments,
        (model) => repository.versionsOf(model),
        config.holdout,
      );
      await files.load();
      const inForce = (): ExperimentSet => experiments?.current ?? NO_EXPERIMENTS;
      const sources = gaugeSources(repository, inForce, () => experiments?.situations ?? []);
      metrics = new Metrics(sources, config.tritonMetrics ? sources : undefined);
      upstreams = openUpstreams(config, log, repository, metrics);
      const state = await GatewayState.open(config, inForce, metrics, log);
      const { store } = state;
      // Other stores are on this machine themselves.
      const kept = state.place && (await KeptStandings.open(state.place, log));
      experiments = await StandingBook.open({ store, files, kept, log, nowMs: () => store.nowMs() });
      await upstreams.follow(experiments.current);
      const keys = place?.kind === 'state' ? await StoredKeys.open(state.store) : fileKeys;
      const gateway = new Gateway(
        config,
        log,
        repository,
        files,
        experiments,
        upstreams,
        metrics,
        state,
        keys,
      );
      onWorkerDeath = (model, version, reason) => {
        gateway.rollouts.workerDied(model, version, reason);
      };
      return gateway;
    } catch (error) {
      await upstreams?.close();
      await repository.close();
      throw error;
    }
  }

  private constructor(
    config: Config,
    log: Logger,
    repository: ModelRepository,
    files: ExperimentFiles,
    experiments: StandingBook,
    upstreams: Upstreams,
    metrics: Metrics,
    state: GatewayState,
    keys: KeyStore | undefined,
  ) {
    this.config = config;
    this.state = state;
    this.log = log;
    this.repository = repository;
    this.#files = files;
    this.experiments = experiments;
    this.rollouts = new Rollouts({ experiments, repository, upstreams, state, replica: this.replica, log });
    this.control = new Control({
      experiments,
      repository,
      upstreams,
      rollout: this.rollouts.commands,
      keepAudit: () => this.#audit.keep(),
      nowMs: () => state.store.nowMs(),
    });
    this.upstreams = upstreams;
    this.metrics = metrics;
    this.#audit = new Audit({ config, store: state.store, holder: this.replica, metrics, log });
    experiments.onChange((change) => {
      this.#audit.note(change);
      void this.#audit.keep();
    });
    this.door = new Door(config, keys, metrics, log);
    const { admission, bodies, limits, shedder, keyDesk } = this.door;
    this.admission = admission;
    this.bodies = bodies;
    this.keyDesk = keyDesk;
    this.sticky = new StickyUnits({
      store: state.store.kind === 'memory' ? undefined : state.store,
      log,
      nowMs: () => performance.now(),
    });
    experiments.onChange(() => {
      this.sticky.follow(experiments.current.byKey.values());
    });
    this.deciding = { sticky: this.sticky, nowMs: Date.now, randomUnit: randomUUID };
    this.#bandits = new Bandits({
      book: experiments,
      store: state.store,
      log,
      random: Math.random,
      nowMs: Date.now,
      flush: () => state.exposures.flush(),
      onTurn: (experiment, result) => {
        metrics.recordBanditTurn(experiment, result);
      },
    });
    const load = new MainThreadLoad();
    this.#mirrors = new Mirrors({
      version: (model, variant) =>
        variant.upstream === undefined
          ? repository.model(model)?.version(variant.version)
          : upstreams.shadowOf(variant),
      recorder: state.mirrors,
      metrics,
      isBusy: () => load.isBusy,
      random: Math.random,
      timeoutMs: config.timeouts.inferenceMs,
    });
    this.results = new ResultsReader({
      store: state.store,
      flush: () => Promise.all([state.exposures.flush(), state.mirrors.flush()]),
      nowMs: Date.now,
    });
    const candidates = () => [...experiments.current.byModel.values()].flatMap((served) => served.candidates);
    this.#resultsWatch = new ResultsWatch({
      experiments: candidates,
      results: this.results,
      onFault: (error) => {
        log.error({ err: error }, 'what an experiment says could not be read for the metrics');
      },
    });
    metrics.watch({ readings: () => this.#resultsWatch.look() });
    this.history = new HistoryKeeper({
      store: state.store,
      experiments: () => experiments.current,
      results: this.results,
      nowMs: Date.now,
      onFault: (error) => {
        log.error({ err: error }, 'the history of an experiment could not be extended');
      },
    });
    const onDrop = countAndTell(metrics, log);
    this.#tracing =
      config.tracing &&
      new Tracing({
        ...config.tracing,
        onDrop: (count, reason) => {
          onDrop('traces', count, reason);
        },
      });
    this.pipeline = new Pipeline({
      tracing: this.#tracing,
      accessLog:
        config.accessLogShare > 0 ? new AccessLog(log, config.accessLogShare, Math.random) : undefined,
      sticky: this.sticky,
      router: new Router(repository, () => experiments.current, this.deciding, upstreams),
      metrics,
      limits,
      shedder,
      predictions: new PredictionLog(state.ids, state.exposures, Date.now),
      mirrors: this.#mirrors,
      inferenceTimeoutMs: config.timeouts.inferenceMs,
      onFault: (error) => {
        log.error({ err: error.cause ?? error, code: error.code }, error.message);
      },
      onEnd: (target, outcome, answer, error) => {
        this.rollouts.answered(target, outcome, answer, error);
      },
    });
  }

  /** Whether a balancer should send traffic here. */
  get isReady(): boolean {
    return this.#state === 'ready';
  }

  /**
   * Tells a listener whenever the gateway becomes ready, or stops being so.
   *
   * @returns ends that
   */
  onReadiness(listener: () => void): () => void {
    this.#readinessListeners.add(listener);
    return () => this.#readinessListeners.delete(listener);
  }

  /** The model of a call that names none: the configured one, or the only one there is. */
  get defaultModel(): string | undefined {
    const { models } = this.repository;
    return this.config.models.defaultModel ?? (models.length === 1 ? models[0]?.name : undefined);
  }

  /** Starts to watch the folders, and says that it is ready. */
  start(): void {
    this.#become('ready');
    this.#bandits.start();
    this.#audit.start();
    this.#scheduleLook();
    this.history.start();
    this.rollouts.start();
    this.door.start();
  }

  /** Puts what can be changed while it runs in force: limits, and the log's level. */
  apply(config: Config): void {
    this.door.apply(config);
    this.log.level = config.logLevel;
  }

  /** From now on readiness fails; calls are still answered. */
  beginStop(): void {
    this.#become('stopping');
    clearTimeout(this.#timer);
  }

  /** Answers what is in flight and frees every worker. */
  async close(): Promise<void> {
    this.beginStop();
    await this.#look;
    await this.#bandits.stop();
    await this.#mirrors.close();
    await this.#resultsWatch.stop();
    await this.history.stop();
    await this.rollouts.stop();
    await this.door.stop();
    await this.repository.close();
    await this.experiments.close();
    await this.upstreams.close();
    await this.#audit.close();
    await this.state.close();
    await this.#tracing?.close();
  }

  #become(state: 'ready' | 'stopping'): void {
    if (this.#state === state) return;
    this.#state = state;
    for (const listener of this.#readinessListeners) listener();
  }

  #scheduleLook(): void {
    if (this.#state !== 'ready') return;
    this.#timer = setTimeout(() => {
      this.#look = this.#lookAtFolders().finally(() => {
        this.#scheduleLook();
      });
    }, LOOK_EVERY_MS);
  }

  async #refreshModels(): Promise<void> {
    try {
      await this.repository.refresh();
      this.#modelsFault = '';
    } catch (error) {
      const fault = error instanceof Error ? error.message : String(error);
      // Once, not at every look.
      if (fault !== this.#modelsFault)
        this.log.error({ fault }, 'a model repository can not be read; what is loaded stays');
      this.#modelsFault = fault;
    }
  }

  async #lookAtFolders(): Promise<void> {
    // Not waited for: a large model takes long to load, and an edited experiment must not wait for it.
    if (this.config.models.control !== 'none') void this.#refreshModels();
    const { changed, refused } = await this.#files.refresh();
    // Nothing is waited for: a store or a server that is slow must not hold up the next edit.
    if (changed.length > 0) {
      void this.experiments.takeFiles();
      // In the same turn: a variant that is in force without its server would be missed by every call meanwhile.
      void this.upstreams.follow(this.experiments.current);
    } else if (this.state.store.kind === 'redis' || this.experiments.isStoreAway)
      void this.experiments.refresh();
    // What other replicas did, and what could not be kept before.
    if (this.state.store.kind === 'redis') void this.#audit.keep();
    if (changed.length > 0) this.sticky.follow(this.experiments.current.byKey.values());
    for (const file of changed) {
      this.metrics.recordReload('success');
      this.log.info({ file }, 'experiment file took effect');
    }
    for (const { file, problems } of refused) {
      this.metrics.recordReload('failure');
      const told = { file, problems: problems.map(formatProblem) };
      this.log.error(told, 'experiment file refused; the last good one stays');
    }
  }
}
