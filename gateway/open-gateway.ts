import type { Logger } from 'pino';
import type { RunJournal } from '../backends/onnx/run-journal.ts';
import type { Handover } from '../backends/repository/handover.ts';
import { NO_EXPERIMENTS } from '../experiments/experiment-set.ts';
import type { ExperimentSet } from '../experiments/experiment-set.ts';
import { assembleGateway } from './assemble-gateway.ts';
import type { ModelChanges } from './audit/model-changes.ts';
import type { Config } from './config/config.ts';
import type { Gateway } from './gateway.ts';
import { openSharedBuckets } from './limits/open-shared-buckets.ts';
import type { SharedBuckets } from './limits/shared-buckets.ts';
import { openRepository } from './open-repository.ts';
import { ExperimentFiles } from './reload/experiment-files.ts';
import { neededBy } from './rollouts/needed-versions.ts';
import type { DiedUnder } from './rollouts/process-deaths.ts';
import type { Rollouts } from './rollouts/rollouts.ts';
import { describing } from './signatures/describe.ts';
import type { LastGood } from './last-good.ts';
import { KeptStandings } from './standing/kept-standings.ts';
import { definitionServedLast } from './standing/last-definition.ts';
import { StandingBook } from './standing/standing-book.ts';
import { GatewayState } from './state/state.ts';
import { gaugeSources } from './telemetry/gauge-sources.ts';
import { GpuWatch } from './telemetry/gpu-usage.ts';
import { Metrics } from './telemetry/metrics.ts';
import { openTracing } from './telemetry/tracing/open-tracing.ts';
import type { Tracing } from './telemetry/tracing/tracing.ts';
import { openTokens } from './trust/open-tokens.ts';
import { StoredKeys } from './trust/stored-keys.ts';
import { WatchedKeys } from './trust/watched-keys.ts';
import { openUpstreams } from './upstream/open-upstreams.ts';
import type { Upstreams } from './upstream/upstreams.ts';

export interface GatewayOptions {
  /** Where what runs is written, for whoever outlives a crash of this process. */
  readonly journal?: RunJournal;
  /** Told when no instance of a version is left that doesn't hang: only a new process can serve it again. */
  readonly onAllHung?: (model: string, version: number) => void;
  /** What requests made of the models in the process before, which died; left out: there was none. */
  readonly handover?: Handover | undefined;
  /** Told of what a process that takes over would have to load, whenever that changes. */
  readonly onHandover?: (handover: Handover) => void;
  /** What was in force in a process before, which served the same and died: what files have become since must not keep this one from serving. Left out: there was none. */
  readonly lastGood?: LastGood | undefined;
  /** Told of what is in force by now, of the files of a kind that changed. */
  readonly onGood?: (changed: LastGood) => void;
}

/**
 * Loads the models and the experiments.
 *
 * @throws InvalidDocuments, Error where a model repository can't be read
 */
export async function openGateway(
  config: Config,
  log: Logger,
  { journal, onAllHung, handover, onHandover, lastGood, onGood }: GatewayOptions = {},
): Promise<Gateway> {
  const { keys: place } = config.auth;
  const fileKeys =
    place?.kind === 'file'
      ? await WatchedKeys.open(place.file, lastGood?.keys, (keys) => onGood?.({ keys }))
      : undefined;
  const gpus = new GpuWatch();
  gpus.start();
  // The events of loading come before there is anybody to count them.
  let metrics: Metrics | undefined;
  let experiments: StandingBook | undefined;
  let rollouts: Rollouts | undefined;
  let modelChanges: ModelChanges | undefined;
  const died: DiedUnder[] = [];
  const repository = await openRepository(config, log, {
    journal,
    onAllHung,
    handover,
    onHandover,
    metrics: () => metrics,
    neededBy: (model, version) => neededBy(experiments?.situations ?? [], model, version),
    onWorkerDeath: (model, version, reason) => rollouts?.workerDied(model, version, reason),
    onProcessDeaths: (model, version, atMs) => {
      died.push({ model, version, atMs });
    },
    onReplaced: (...replaced) => void modelChanges?.replaced(...replaced),
  });
  let upstreams: Upstreams | undefined;
  let state: GatewayState | undefined;
  let tracing: Tracing | undefined;
  let shared: SharedBuckets | undefined;
  try {
    const files = new ExperimentFiles({
      folder: config.experiments,
      knownVersions: (model) => repository.versionsOf(model),
      describe: describing(repository, { of: (variant) => upstreams?.of(variant) }),
      holdout: config.holdout,
      onInForce: (texts) => onGood?.({ experiments: texts }),
    });
    if (lastGood?.experiments === undefined) await files.load();
    else files.resume(lastGood.experiments);
    const inForce = (): ExperimentSet => experiments?.current ?? NO_EXPERIMENTS;
    const sources = gaugeSources(repository, inForce, () => experiments?.situations ?? [], gpus);
    metrics = new Metrics(sources, config.tritonMetrics ? sources : undefined);
    upstreams = openUpstreams(config, log, repository, metrics);
    state = await GatewayState.open(config, inForce, metrics, log);
    const { store } = state;
    // Other stores are on this machine themselves.
    const kept = state.place && (await KeptStandings.open(state.place, log));
    const servedBefore = (key: string) => definitionServedLast(key, store, kept);
    await files.holdTo(servedBefore);
    if (lastGood === undefined) await files.refuseMisfits(servedBefore);
    experiments = await StandingBook.open({ store, files, kept, log, nowMs: () => store.nowMs() });
    await upstreams.follow(experiments.current);
    const keys = place?.kind === 'state' ? await StoredKeys.open(store) : fileKeys;
    const tokens = await openTokens(config.auth);
    tracing = await openTracing(config, metrics, log);
    shared = await openSharedBuckets(config);
    const loaded = { config, log, repository, files, experiments, upstreams, gpus, metrics, state };
    const gateway = assembleGateway({ ...loaded, keys, tokens, shared, tracing });
    ({ rollouts, modelChanges } = gateway);
    // Before anybody is answered: the next request that it ran could be the next one that it dies of.
    await rollouts.processesDied(died);
    return gateway;
  } catch (error) {
    gpus.close();
    await upstreams?.close();
    await repository.close();
    await experiments?.close();
    await state?.close();
    shared?.close();
    await tracing?.close();
    throw error;
  }
}
