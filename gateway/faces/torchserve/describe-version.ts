import { DEFAULT_MAX_QUEUE_SIZE } from '../../../backends/batching/batching-config.ts';
import type { InstanceCounts, Servable, VersionDescription } from '../../../backends/servable.ts';

/** A version as TorchServe's management API describes it; what an instance hasn't, as a process or a start time, is left out. */
export function describeVersion(version: Servable) {
  const { about, queued, instances } = version;
  const { model, platform, maxBatchSize, config } = about;
  const { defaultQueuePolicy, maxQueueDelayMs } = config.batching;
  const wanted = instances?.wanted ?? 0;
  const queueSize = defaultQueuePolicy.maxQueueSize || DEFAULT_MAX_QUEUE_SIZE;
  return {
    modelName: model,
    modelVersion: String(about.version),
    modelUrl: modelUrl(about),
    runtime: platform,
    minWorkers: wanted,
    maxWorkers: wanted,
    batchSize: Math.max(1, maxBatchSize),
    maxBatchDelay: maxQueueDelayMs,
    workers: instances === undefined ? [] : workersOf(instances, about.provider !== 'cpu'),
    jobQueueStatus: { remainingCapacity: Math.max(0, queueSize - queued), pendingRequests: queued },
  };
}

/** The model's file in its repository. */
export function modelUrl({ model, version, config }: VersionDescription): string {
  return config.backend.kind === 'onnxruntime' ? `${model}/${version}/${config.modelFilename}` : model;
}

/** `READY` can be given work, `HUNG` is in a run past its limit, `STARTING` takes the place of one that died. */
function workersOf({ ready, hung, wanted }: InstanceCounts, gpu: boolean) {
  return Array.from({ length: Math.max(wanted, ready + hung) }, (_, index) => {
    const status = index < ready ? 'READY' : index < ready + hung ? 'HUNG' : 'STARTING';
    return { id: String(index), status, gpu };
  });
}
