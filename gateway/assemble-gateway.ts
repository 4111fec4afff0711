import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { ModelRepository } from '../backends/repository/repository.ts';
import type { DecisionContext } from '../experiments/decision.ts';
import { Bandits } from './allocation/bandits.ts';
import { Audit } from './audit/audit.ts';
import { ModelChanges } from './audit/model-changes.ts';
import type { Config } from './config/config.ts';
import { Door } from './door.ts';
import type { Gateway } from './gateway.ts';
import type { SharedBuckets } from './limits/shared-buckets.ts';
import { openMirrors } from './mirror/open-mirrors.ts';
import { QueuesAhead } from './overload/queues-ahead.ts';
import { openPipeline } from './pipeline/open-pipeline.ts';
import { Readiness } from './readiness.ts';
import type { ExperimentFiles } from './reload/experiment-files.ts';
import { FolderWatch } from './reload/folder-watch.ts';
import { Results } from './results/results.ts';
import { Rollouts } from './rollouts/rollouts.ts';
import { describing } from './signatures/describe.ts';
import { Control } from './standing/control.ts';
import { settledCounts } from './standing/settled-counts.ts';
import type { StandingBook } from './standing/standing-book.ts';
import type { GatewayState } from './state/state.ts';
import { StickyUnits } from './sticky/sticky-units.ts';
import type { GpuWatch } from './telemetry/gpu-usage.ts';
import type { Metrics } from './telemetry/metrics.ts';
import type { Tracing } from './telemetry/tracing/tracing.ts';
import type { TokenVerifier } from './trust/jwt.ts';
import type { KeyStore } from './trust/key-store.ts';
import type { Upstreams } from './upstream/upstreams.ts';

/** What was read of the disk and of the state store; nothing runs over it yet. */
export interface Loaded {
  readonly config: Config;
  readonly log: Logger;
  readonly repository: ModelRepository;
  readonly files: ExperimentFiles;
  readonly experiments: StandingBook;
  readonly upstreams: Upstreams;
  /** What the GPUs of the machine do. */
  readonly gpus: GpuWatch;
  readonly metrics: Metrics;
  readonly state: GatewayState;
  /** Undefined: whoever reaches the gateway may call it. */
  readonly keys: KeyStore | undefined;
  /** Undefined: tokens are not taken. */
  readonly tokens: TokenVerifier | undefined;
  /** Undefined: each process has its own limits. */
  readonly shared: SharedBuckets | undefined;
  /** Undefined: nobody asks for traces. */
  readonly tracing: Tracing | undefined;
}

/** Puts the gateway together: who is told of what, and in which order all of it starts and ends. */
export function assembleGateway(loaded: Loaded): Gateway {
  const { config, log, repository, files, experiments, upstreams, gpus, metrics, state } = loaded;
  const { keys, tokens, shared, tracing } = loaded;
  const { store } = state;
  /** Names this process among the replicas; no other has the same. */
  const replica = `${hostname()}:${process.pid}:${randomUUID()}`;

  const audit = new Audit({ config, store, place: state.place, holder: replica, metrics, log });
  experiments.onChange((change) => {
    audit.note(change);
    void audit.keep();
  });
  const rollouts = new Rollouts({ experiments, repository, upstreams, state, replica, log });
  const control = new Control({
    experiments,
    repository,
    upstreams,
    rollout: rollouts.commands,
    objector: (key, variant) => rollouts.objector(key, variant),
    keepAudit: () => audit.keep(),
    nowMs: () => store.nowMs(),
  });
  const queues = new QueuesAhead(repository, () => experiments.current);
  const door = new Door({ config, keys, tokens, shared, queues, metrics, log });
  const sticky = new StickyUnits({
    store: store.kind === 'memory' ? undefined : store,
    log,
    nowMs: () => performance.now(),
  });
  experiments.onChange(() => {
    sticky.follow(experiments.current.byKey.values());
  });
  const bandits = new Bandits({
    book: experiments,
    store,
    counts: settledCounts(store, experiments),
    log,
    random: Math.random,
    nowMs: () => store.nowMs(),
    flush: () => state.exposures.flush(),
    onTurn: (experiment, result) => {
      metrics.recordBanditTurn(experiment, result);
    },
  });
  const results = new Results({
    experiments,
    state,
    describe: describing(repository, upstreams),
    metrics,
    log,
  });
  const mirrors = openMirrors({ config, experiments, repository, upstreams, state, metrics });
  const deciding: DecisionContext = { sticky, nowMs: () => store.nowMs(), randomUnit: randomUUID };
  const pipeline = openPipeline({ ...loaded, door, deciding, sticky, mirrors, rollouts, tracing });
  const folders = new FolderWatch({
    models: config.models.control === 'none' ? undefined : repository,
    files,
    experiments,
    isShared: store.kind === 'redis',
    highestReady: (model) => repository.model(model)?.highestReady?.about.version,
    upstreams,
    sticky,
    keepAudit: () => audit.keep(),
    metrics,
    log,
  });
  const readiness = new Readiness();

  const beginStop = (): void => {
    readiness.become('stopping');
    folders.beginStop();
  };
  return {
    config,
    log,
    repository,
    experiments,
    control,
    audit,
    modelChanges: new ModelChanges(repository, (event) => audit.write(event), replica),
    upstreams,
    metrics,
    door,
    state,
    pipeline,
    results,
    rollouts,
    sticky,
    deciding,
    readiness,
    defaultModel() {
      const { models } = repository;
      return config.models.defaultModel ?? (models.length === 1 ? models[0]?.name : undefined);
    },
    start() {
      readiness.become('ready');
      bandits.start();
      audit.start();
      folders.start();
      results.start();
      rollouts.start();
      door.start();
    },
    apply(next) {
      door.apply(next);
      log.level = next.logLevel;
    },
    beginStop,
    async close() {
      beginStop();
      gpus.close();
      await folders.stop();
      await bandits.stop();
      await mirrors.close();
      await results.stop();
      await rollouts.stop();
      await door.stop();
      await repository.close();
      await experiments.close();
      await upstreams.close();
      await audit.close();
      await state.close();
      await tracing?.close();
    },
  };
}
