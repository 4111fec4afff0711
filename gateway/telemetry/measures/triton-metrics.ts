import { cpus, freemem, totalmem } from 'node:os';
import type { Servable } from '../../../backends/servable.ts';
import type { DurationStat, FailureReason, VersionStatistics } from '../../../backends/statistics.ts';
import { ReadFamily } from '../exposition/read-family.ts';
import type { Sample } from '../exposition/read-family.ts';
import type { Family } from '../exposition/format.ts';
import type { GpuUsage } from '../gpu-usage.ts';

/** What Triton's names are read from. */
export interface TritonSources {
  /** The versions that are ready. */
  versions(): Iterable<Pick<Servable, 'about' | 'queued' | 'statistics'>>;
  gpus(): Iterable<GpuUsage>;
}

/** As Triton says why a request failed. */
const REASONS: Readonly<Record<FailureReason, string>> = {
  rejected: 'REJECTED',
  cancelled: 'CANCELED',
  backend: 'BACKEND',
  other: 'OTHER',
};

const NONE: DurationStat = { count: 0, ns: 0 };

/**
 * The same figures under Triton's names and in its units, for dashboards and alerts that were made for it.
 *
 * Source: Triton Inference Server, "Metrics" (docs/user_guide/metrics.md).
 */
export function tritonFamilies(sources: TritonSources): readonly Family[] {
  const ofVersions =
    (samplesOf: (statistics: VersionStatistics, queued: number) => readonly Sample[]) => () =>
      [...sources.versions()].flatMap(({ about: { model, version }, queued, statistics }) =>
        samplesOf(statistics, queued).map(([labels, value]): Sample => [
          { model, version: String(version), ...labels },
          value,
        ]),
      );
  const counter = (name: string, help: string, valueOf: (statistics: VersionStatistics) => number): Family =>
    ReadFamily.counter(
      name,
      help,
      ofVersions((statistics) => [[{}, valueOf(statistics)]]),
    );
  const ofGpus = (name: string, help: string, valueOf: (gpu: GpuUsage) => number): Family =>
    ReadFamily.gauge(name, help, () =>
      [...sources.gpus()].map((gpu): Sample => [{ gpu_uuid: gpu.uuid }, valueOf(gpu)]),
    );
  const processor = new ProcessorUse();
  return [
    counter('nv_inference_request_success', 'Requests that were answered.', ({ success }) => success.count),
    ReadFamily.counter(
      'nv_inference_request_failure',
      'Requests that fit the model and were not answered, by why.',
      ofVersions(({ failures }) =>
        FAILURE_REASONS.map((reason) => [{ reason: REASONS[reason] }, failures[reason]]),
      ),
    ),
    counter(
      'nv_inference_count',
      'Rows that the model has run; a kept answer is none.',
      ({ inferences }) => inferences,
    ),
    counter('nv_inference_exec_count', 'Runs of the model.', ({ executions }) => executions),
    counter(
      'nv_inference_request_duration_us',
      'Time of the answered requests, kept answers too.',
      ({ success }) => microseconds(success),
    ),
    counter('nv_inference_queue_duration_us', 'Time that the answered requests waited.', ({ queue }) =>
      microseconds(queue),
    ),
    counter(
      'nv_inference_compute_input_duration_us',
      'Time to gather the inputs of the requests that were run.',
      ({ requests }) => microseconds(requests.computeInput),
    ),
    counter(
      'nv_inference_compute_infer_duration_us',
      'Time of the requests that were run in the model.',
      ({ requests }) => microseconds(requests.computeInfer),
    ),
    counter(
      'nv_inference_compute_output_duration_us',
      'Time from the end of their run to their outputs.',
      ({ requests }) => microseconds(requests.computeOutput),
    ),
    ReadFamily.gauge(
      'nv_inference_pending_request_count',
      'Requests that wait for a run now.',
      ofVersions((_statistics, queued) => [[{}, queued]]),
    ),
    counter(
      'nv_cache_num_hits_per_model',
      'Requests that a kept answer served.',
      ({ cacheHit = NONE }) => cacheHit.count,
    ),
    counter(
      'nv_cache_num_misses_per_model',
      'Requests to a model with a cache that were run.',
      ({ cacheMiss = NONE }) => cacheMiss.count,
    ),
    counter(
      'nv_cache_hit_duration_per_model',
      'Time to find the kept answers that served.',
      ({ cacheHit = NONE }) => microseconds(cacheHit),
    ),
    counter(
      'nv_cache_miss_duration_per_model',
      'Time to look in vain for kept answers, and to keep them.',
      ({ cacheMiss = NONE }) => microseconds(cacheMiss),
    ),
    ofGpus(
      'nv_gpu_utilization',
      'Share of the time in which a GPU ran something, 0 to 1.',
      ({ utilization }) => utilization,
    ),
    ofGpus('nv_gpu_memory_total_bytes', 'Memory that a GPU has.', ({ totalBytes }) => totalBytes),
    ofGpus('nv_gpu_memory_used_bytes', 'Memory of a GPU that is in use.', ({ usedBytes }) => usedBytes),
    ReadFamily.gauge(
      'nv_cpu_utilization',
      "Share of the machine's processors that was busy since the last scrape, 0 to 1.",
      () => [[{}, processor.read()]],
    ),
    ReadFamily.gauge('nv_cpu_memory_total_bytes', 'Memory that the machine has.', () => [[{}, totalmem()]]),
    ReadFamily.gauge('nv_cpu_memory_used_bytes', "The machine's memory that is in use.", () => [
      [{}, totalmem() - freemem()],
    ]),
  ];
}

const FAILURE_REASONS: readonly FailureReason[] = ['rejected', 'cancelled', 'backend', 'other'];

function microseconds({ ns }: DurationStat): number {
  return Math.round(ns / 1000);
}

/** How busy the machine's processors were since the last look, 0 to 1. */
class ProcessorUse {
  #busyMs = 0;
  #allMs = 0;

  read(): number {
    let [busyMs, allMs] = [0, 0];
    for (const { times } of cpus()) {
      const { user, nice, sys, irq, idle } = times;
      busyMs += user + nice + sys + irq;
      allMs += user + nice + sys + irq + idle;
    }
    const passedMs = allMs - this.#allMs;
    const share = passedMs > 0 ? (busyMs - this.#busyMs) / passedMs : 0;
    [this.#busyMs, this.#allMs] = [busyMs, allMs];
    return share;
  }
}
