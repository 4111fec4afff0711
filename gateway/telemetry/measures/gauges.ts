import { ReadFamily } from '../exposition/read-family.ts';
import type { Sample } from '../exposition/read-family.ts';
import type { Family } from '../exposition/format.ts';
import type { Reading } from '../../results/results-reader.ts';
import type { GpuUsage } from '../gpu-usage.ts';

/** What is read at each scrape rather than counted. */
export interface GaugeSources {
  queues(): Iterable<{
    readonly model: string;
    readonly version: number;
    readonly queued: number;
    /** How long the request has waited that has waited longest; 0 where none waits. */
    readonly longestWaitMs: number;
  }>;
  instances(): Iterable<{
    readonly model: string;
    readonly version: number;
    readonly ready: number;
    readonly hung: number;
    readonly wanted: number;
  }>;
  /** The keys of all experiments that are defined. */
  experiments(): Iterable<string>;
  /** Shares from 0 to 1. */
  weights(): Iterable<{ readonly experiment: string; readonly variant: string; readonly share: number }>;
  /** Which change of its weights an experiment has in force; 0: its file's own, which no store knows of. */
  weightsVersions(): Iterable<{ readonly experiment: string; readonly version: number }>;
  /** What the GPUs do, where they tell. */
  gpus(): Iterable<GpuUsage>;
  /** -1 taken back, 0 not begun, 1 under way, 2 paused, 3 everybody gets what was rolled out. */
  rolloutStates(): Iterable<{ readonly experiment: string; readonly state: number }>;
  /** The rollouts that took themselves back, and since when. */
  rollbacks(): Iterable<{ readonly experiment: string; readonly sinceMs: number }>;
  /** Whether the state store had lost where an experiment stands, and nobody has said since how it goes on. */
  recovered(): Iterable<{ readonly experiment: string; readonly isRecovered: boolean }>;
}

/** Of a gateway that serves nothing: for whoever only asks which metrics there are. */
export const NO_GAUGES: GaugeSources = {
  queues: () => [],
  instances: () => [],
  experiments: () => [],
  weights: () => [],
  weightsVersions: () => [],
  gpus: () => [],
  rolloutStates: () => [],
  rollbacks: () => [],
  recovered: () => [],
};

/** A variant that lives on another server. */
export interface UpstreamState {
  readonly experiment: string;
  readonly variant: string;
  readonly isReady: boolean;
}

/** What is there to be read only once the gateway is put together. */
export interface LateSources {
  /** Outcomes that wait on disk for the state store. */
  spooledOutcomes(): number;
  /** How far this process' clock is ahead of the one that its replicas share: one, or none where nobody shares it. */
  clockOffsetsMs(): readonly number[];
  /** Whether the state's Redis may take keys away to make room. */
  stateMayBeEvicted(): boolean;
  upstreams(): Iterable<UpstreamState>;
  /** The shadows of the experiments that are under way. */
  shadows(): Iterable<{ readonly experiment: string; readonly variant: string }>;
  /** When each plane's certificate ends. */
  certificates(): Iterable<{ readonly plane: string; readonly atSeconds: number }>;
  /** The keys in force; Infinity: without an end. */
  keys(): Iterable<{ readonly id: string; readonly expiresAtMs: number }>;
  /** What each experiment that is under way said last. */
  readings(): readonly Reading[];
}

/** Everything that stands somewhere else, and is told as it is at a scrape. */
export function gaugeFamilies(sources: GaugeSources, late: Omit<LateSources, 'readings'>): readonly Family[] {
  const gauge = <Item>(
    name: string,
    help: string,
    read: () => Iterable<Item>,
    samplesOf: (item: Item) => readonly Sample[],
  ): Family => ReadFamily.gauge(name, help, () => [...read()].flatMap(samplesOf));
  const one =
    <Item>(sampleOf: (item: Item) => Sample) =>
    (item: Item): readonly Sample[] => [sampleOf(item)];

  return [
    gauge(
      'signalbox_queue_depth',
      'Requests that wait for an instance.',
      () => sources.queues(),
      one(({ model, version, queued }) => [{ model, version: String(version) }, queued]),
    ),
    gauge(
      'signalbox_queue_age_seconds',
      'How long the request has waited that has waited longest; 0 where none waits.',
      () => sources.queues(),
      one(({ model, version, longestWaitMs }) => [{ model, version: String(version) }, longestWaitMs / 1000]),
    ),
    gauge(
      'signalbox_certificate_expiry_timestamp_seconds',
      "When a plane's certificate ends, in seconds since 1970.",
      () => late.certificates(),
      one(({ plane, atSeconds }) => [{ plane }, atSeconds]),
    ),
    gauge(
      'signalbox_key_expiry_timestamp_seconds',
      'When a key ends, in seconds since 1970; keys without an end are left out.',
      () => late.keys(),
      ({ id, expiresAtMs }) => (expiresAtMs < Infinity ? [[{ key: id }, expiresAtMs / 1000]] : []),
    ),
    gauge(
      'signalbox_outcomes_spooled',
      'Outcomes on disk that wait for the state store.',
      () => [late.spooledOutcomes()],
      one((outcomes) => [{}, outcomes]),
    ),
    gauge(
      'signalbox_clock_offset_seconds',
      "How far the process' clock is ahead of that of the Redis that keeps the state.",
      () => late.clockOffsetsMs(),
      one((offsetMs) => [{}, offsetMs / 1000]),
    ),
    gauge(
      'signalbox_state_may_be_evicted',
      'Whether the Redis that keeps the state takes keys away when its memory is full: 1 or 0.',
      () => [late.stateMayBeEvicted()],
      one((may) => [{}, may ? 1 : 0]),
    ),
    gauge(
      'signalbox_upstream_ready',
      "Whether a variant's own server said at the last check that it can answer: 1 or 0.",
      () => late.upstreams(),
      one(({ experiment, variant, isReady }) => [{ experiment, variant }, isReady ? 1 : 0]),
    ),
    gauge(
      'signalbox_instances',
      'Instances by state.',
      () => sources.instances(),
      ({ model, version, ready, hung, wanted }) =>
        Object.entries({ ready, hung, starting: wanted - ready - hung }).map(([state, count]) => [
          { model, version: String(version), state },
          count,
        ]),
    ),
    gauge(
      'signalbox_gpu_utilization_ratio',
      'Share of the time in which a GPU ran something, 0 to 1.',
      () => sources.gpus(),
      one(({ gpu, utilization }) => [{ gpu: String(gpu) }, utilization]),
    ),
    gauge(
      'signalbox_gpu_memory_used_bytes',
      'Memory of a GPU that is in use, by whomever.',
      () => sources.gpus(),
      one(({ gpu, usedBytes }) => [{ gpu: String(gpu) }, usedBytes]),
    ),
    gauge(
      'signalbox_gpu_memory_bytes',
      'Memory that a GPU has.',
      () => sources.gpus(),
      one(({ gpu, totalBytes }) => [{ gpu: String(gpu) }, totalBytes]),
    ),
    gauge(
      'signalbox_experiment_weight',
      'Share of the enrolled units that a variant gets, 0 to 1, as it is in force.',
      () => sources.weights(),
      one(({ experiment, variant, share }) => [{ experiment, variant }, share]),
    ),
    gauge(
      'signalbox_experiment_weights_version',
      'Which change of its weights an experiment has in force; replicas of the same version assign alike.',
      () => sources.weightsVersions(),
      one(({ experiment, version }) => [{ experiment }, version]),
    ),
    gauge(
      'signalbox_experiment_recovered',
      'Whether (1) the state store had lost where an experiment stands, and nobody has said since how it goes on.',
      () => sources.recovered(),
      one(({ experiment, isRecovered }) => [{ experiment }, isRecovered ? 1 : 0]),
    ),
    gauge(
      'signalbox_rollout_state',
      'Where a rollout stands: -1 taken back, 0 not begun, 1 under way, 2 paused, 3 everybody gets it.',
      () => sources.rolloutStates(),
      one(({ experiment, state }) => [{ experiment }, state]),
    ),
    gauge(
      'signalbox_rolled_back_timestamp_seconds',
      'When a rollout took itself back, in seconds since 1970; none for what a person took back, nor once it is begun again.',
      () => sources.rollbacks(),
      one(({ experiment, sinceMs }) => [{ experiment }, sinceMs / 1000]),
    ),
  ];
}
