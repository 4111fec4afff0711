import type { Logger } from 'pino';
import { gpuFinder } from '../backends/onnx/providers/gpu-providers.ts';
import type { RunJournal } from '../backends/onnx/run-journal.ts';
import type { Handover } from '../backends/repository/handover.ts';
import { removeIncomingFolders } from '../backends/registration/incoming-folder.ts';
import { ModelRepository } from '../backends/repository/repository.ts';
import type { Servable } from '../backends/servable.ts';
import { openAnswers } from './cache/open-answers.ts';
import type { Config } from './config/config.ts';
import type { Metrics } from './telemetry/metrics.ts';

/** Who is told of what happens to models beside the log. */
interface Listeners {
  /** Where what runs is written, for whoever outlives a crash of this process. */
  readonly journal: RunJournal | undefined;
  /** No instance of a version is left that doesn't hang. */
  readonly onAllHung: ((model: string, version: number) => void) | undefined;
  readonly handover: Handover | undefined;
  readonly onHandover: ((handover: Handover) => void) | undefined;
  /** Undefined while there are none yet: models are loaded first. */
  readonly metrics: () => Metrics | undefined;
  /** Why a version may not be unloaded now; undefined: it may. */
  readonly neededBy: (model: string, version: number) => string | undefined;
  readonly onWorkerDeath: (model: string, version: number, reason: string) => void;
  /** Processes before this one died while they ran a version, each at a time of `Date.now()`. */
  readonly onProcessDeaths: (model: string, version: number, atMs: readonly number[]) => void;
  /** A version's files were changed under its number. */
  readonly onReplaced: (model: string, version: number, before: Servable, after: Servable) => void;
}

/**
 * Loads the models as the configuration says.
 *
 * @throws Error where a model repository can't be read
 */
export async function openRepository(
  config: Config,
  log: Logger,
  listeners: Listeners,
): Promise<ModelRepository> {
  const { journal, onAllHung, handover, onHandover, metrics, neededBy } = listeners;
  const { onWorkerDeath, onProcessDeaths, onReplaced } = listeners;
  if (config.models.control !== 'none') await clearIncoming(config.models.roots, log);
  return ModelRepository.open({
    roots: config.models.roots,
    control: config.models.control,
    load: config.models.load,
    handover,
    maxImagePixels: config.limits.imagePixels,
    cache: {
      store: await openAnswers(config.cache),
      onResult: (result) => metrics()?.recordCache(result),
    },
    machine: {
      findGpus: gpuFinder(config.models.vulkanDriver),
      faults: {
        runLimitMs: config.timeouts.runMs,
        warmupLimitMs: config.timeouts.warmupMs,
        ...(journal !== undefined && { journal }),
      },
    },
    neededBy,
    events: {
      onHandover: (changed) => onHandover?.(changed),
      onUnscaled: (model, version, instances, reason) => {
        log.error({ model, version, instances, reason }, 'a version has not got its instances back');
      },
      onKept: (model, version, why) => {
        log.error({ model, version, why }, 'a version that is no longer wished serves on');
      },
      onReplaced: (model, version, before, after) => {
        const digests = { before: before.about.digest, after: after.about.digest };
        log.warn({ model, version, ...digests }, 'the files of a version were changed under its number');
        onReplaced(model, version, before, after);
      },
      onBatch: (report) => metrics()?.recordBatch(report),
      onWorkerRestart: (model, version, reason) => {
        metrics()?.recordWorkerRestart(model, version);
        onWorkerDeath(model, version, reason);
        log.error({ model, version, reason }, 'a worker died and is being replaced');
      },
      onProcessDeaths: (model, version, atMs) => {
        onProcessDeaths(model, version, atMs);
        log.warn({ model, version, deaths: atMs.length }, 'the server died while it ran this version');
      },
      onHang: (model, version, hung, wanted) => {
        log.error({ model, version, hung, wanted }, 'instances whose run goes on past its limit');
        if (hung >= wanted) onAllHung?.(model, version);
      },
      onLingering: (model, version, reason) => {
        log.warn({ model, version, reason }, 'a version that takes no more requests is not unloaded yet');
      },
      onPlacement: (model, version, provider, why) => {
        log.info({ model, version, provider, why }, 'version placed');
      },
      onVersion: (model, version, state, reason) => {
        if (state === 'failed') log.error({ model, version, reason }, 'version failed to load');
        else log.info({ model, version }, `version ${state}`);
      },
      onWarning: (model, warning) => {
        log.warn({ model, warning }, 'a field of the model has no effect');
      },
      onFolder: (folder, reason) => {
        log.warn({ folder, reason }, 'folder is not served');
      },
    },
  });
}

/** A repository that can't be written to is served all the same. */
async function clearIncoming(roots: readonly string[], log: Logger): Promise<void> {
  try {
    for (const folder of await removeIncomingFolders(roots, Date.now()))
      log.warn({ folder }, 'what an interrupted registration had left of a model was removed');
  } catch (error) {
    log.warn({ err: error }, 'what an interrupted registration has left of a model can not be removed');
  }
}
