/** How requests of a version wait for each other, from `dynamic_batching` and `signalbox.batching`. */
export interface BatchingConfig {
  /** Whether requests share batches; false: each runs alone, in order of arrival. */
  readonly enabled: boolean;
  readonly preferredBatchSizes: readonly number[];
  readonly maxQueueDelayMs: number;
  /** Answers leave in the order their requests came. */
  readonly preserveOrdering: boolean;
  /** Levels 1 (first) to this; 0: requests have no priorities. */
  readonly priorityLevels: number;
  /** The level of a request that names none; 0 where there are no levels. */
  readonly defaultPriorityLevel: number;
  readonly defaultQueuePolicy: QueuePolicy;
  /** By level; a level that is not there has the default policy. */
  readonly priorityQueuePolicies: ReadonlyMap<number, QueuePolicy>;
  /** Undefined: no latency target. */
  readonly targetLatencyMs: number | undefined;
}

/** What becomes of requests that wait for long, in Triton's words. */
export interface QueuePolicy {
  /** REJECT: an expired request is refused; DELAY: it waits on behind the others of its level. */
  readonly timeoutAction: 'REJECT' | 'DELAY';
  /** Milliseconds; 0: none. */
  readonly defaultTimeoutMs: number;
  /** Whether a request may bring a timeout of its own, which may only shorten the default. */
  readonly allowTimeoutOverride: boolean;
  /** Requests; 0: the gateway's own finite limit. */
  readonly maxQueueSize: number;
}

/** Requests that may wait where the configuration says nothing; the memory they hold is the callers' own. */
export const DEFAULT_MAX_QUEUE_SIZE = 4096;

export const DEFAULT_QUEUE_POLICY: QueuePolicy = Object.freeze({
  timeoutAction: 'REJECT',
  defaultTimeoutMs: 0,
  allowTimeoutOverride: false,
  maxQueueSize: 0,
});
