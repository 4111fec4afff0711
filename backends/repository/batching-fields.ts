import { DEFAULT_QUEUE_POLICY } from '../batching/batching-config.ts';
import type { BatchingConfig, QueuePolicy } from '../batching/batching-config.ts';
import type { Refuse } from './field-checks.ts';
import type { ModelConfigFile } from './model-config-schema.ts';

type DynamicBatching = NonNullable<ModelConfigFile['dynamic_batching']>;
type WrittenPolicy = NonNullable<DynamicBatching['default_queue_policy']>;

/** Reads `dynamic_batching` and `signalbox.batching`; without them requests share batches all the same. */
export function readBatching(file: ModelConfigFile, refuse: Refuse): BatchingConfig {
  const written: DynamicBatching = file.dynamic_batching ?? {};
  const preferred = written.preferred_batch_size ?? [];
  preferred.forEach((rows, index) => {
    if (file.max_batch_size !== undefined && rows > file.max_batch_size) {
      const path = ['dynamic_batching', 'preferred_batch_size', index];
      refuse(path, `is ${rows}; expected at most max_batch_size, ${file.max_batch_size}`);
    }
  });
  const levels = written.priority_levels ?? 0;
  const level = written.default_priority_level ?? 0;
  if (levels > 0 ? level < 1 || level > levels : level > 0) {
    refuse(
      ['dynamic_batching', 'default_priority_level'],
      levels > 0
        ? `is ${level}; expected a level from 1 to priority_levels, ${levels}`
        : `is ${level}, but there are no priority_levels`,
    );
  }
  return {
    enabled: file.max_batch_size !== 0,
    preferredBatchSizes: Object.freeze([...preferred].sort((a, b) => a - b)),
    maxQueueDelayMs: (written.max_queue_delay_microseconds ?? 0) / 1000,
    preserveOrdering: written.preserve_ordering ?? false,
    priorityLevels: levels,
    defaultPriorityLevel: level,
    defaultQueuePolicy: readQueuePolicy(written.default_queue_policy),
    priorityQueuePolicies: readLevelPolicies(written, refuse),
    targetLatencyMs: file.signalbox?.batching?.target_latency_ms,
  };
}

function readLevelPolicies(
  { priority_levels: levels = 0, priority_queue_policy: written = {} }: DynamicBatching,
  refuse: Refuse,
): ReadonlyMap<number, QueuePolicy> {
  const policies = new Map<number, QueuePolicy>();
  for (const [key, policy] of Object.entries(written)) {
    const level = Number(key);
    if (!/^[0-9]+$/.test(key) || level < 1 || level > levels) {
      refuse(
        ['dynamic_batching', 'priority_queue_policy', key],
        `is for level ${key}; expected a level from 1 to priority_levels, ${levels}`,
      );
    }
    policies.set(level, readQueuePolicy(policy));
  }
  return policies;
}

function readQueuePolicy(written: WrittenPolicy = {}): QueuePolicy {
  return Object.freeze({
    timeoutAction: written.timeout_action ?? DEFAULT_QUEUE_POLICY.timeoutAction,
    defaultTimeoutMs: (written.default_timeout_microseconds ?? 0) / 1000,
    allowTimeoutOverride: written.allow_timeout_override ?? DEFAULT_QUEUE_POLICY.allowTimeoutOverride,
    maxQueueSize: written.max_queue_size ?? DEFAULT_QUEUE_POLICY.maxQueueSize,
  });
}
