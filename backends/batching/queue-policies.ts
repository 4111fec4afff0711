import { BackendError } from '../errors.ts';
import type { InferRequest } from '../inference.ts';
import { DEFAULT_MAX_QUEUE_SIZE } from './batching-config.ts';
import type { BatchingConfig, QueuePolicy } from './batching-config.ts';

/** What the configuration says of a request's priority, of its patience and of how many may wait beside it. */
export class QueuePolicies {
  readonly #config: BatchingConfig;

  constructor(config: BatchingConfig) {
    this.#config = config;
  }

  /** Levels are numbered from 0, where there are none, or from 1 to this. */
  get lastLevel(): number {
    return this.#config.priorityLevels;
  }

  /**
   * The level of a request: its own, or the default where it names none or 0. Where the model has no levels, every request
   * has level 0, whatever it asks for, as with Triton.
   *
   * @throws BackendError `invalid_input` where the model has levels, but not this one
   */
  levelOf({ priority = 0 }: InferRequest): number {
    const { priorityLevels, defaultPriorityLevel } = this.#config;
    if (priorityLevels === 0) return 0;
    if (priority === 0) return defaultPriorityLevel;
    if (Number.isInteger(priority) && priority > 0 && priority <= priorityLevels) return priority;
    throw new BackendError(
      'invalid_input',
      `the request's priority is ${priority}; expected 1 (first) to ${priorityLevels}, or 0 for the model's default`,
    );
  }

  of(level: number): QueuePolicy {
    return this.#config.priorityQueuePolicies.get(level) ?? this.#config.defaultQueuePolicy;
  }

  /** Milliseconds a request may wait before the policy's action; a request's own wish may only shorten it. Infinity: for ever. */
  timeoutMsOf(level: number, { timeoutMs = 0 }: InferRequest): number {
    const { defaultTimeoutMs, allowTimeoutOverride } = this.of(level);
    const allowedMs = defaultTimeoutMs > 0 ? defaultTimeoutMs : Infinity;
    return allowTimeoutOverride && timeoutMs > 0 ? Math.min(timeoutMs, allowedMs) : allowedMs;
  }

  /** Requests that may wait at a level. */
  maxQueueSizeOf(level: number): number {
    const { maxQueueSize } = this.of(level);
    return maxQueueSize > 0 ? maxQueueSize : DEFAULT_MAX_QUEUE_SIZE;
  }
}
