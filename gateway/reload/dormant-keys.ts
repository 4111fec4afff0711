import type { Experiment } from '../../experiments/definition.ts';

/** Sources that nothing measures yet. */
const UNMEASURED: ReadonlySet<string> = new Set(['cache_hits']);

/**
 * The keys of an experiment that are read and checked, and that nothing in this release acts on: whoever writes one is
 * told, so that nobody takes a plan for a fact.
 */
export function dormantKeys({ metrics, guardrails, rollout }: Experiment): readonly string[] {
  const keys: string[] = [];
  metrics.forEach((metric, index) => {
    if ('source' in metric && UNMEASURED.has(metric.source)) keys.push(`metrics[${index}].source`);
  });
  // A rollout holds its variant against them.
  const unheld = rollout === undefined ? guardrails : [];
  unheld.forEach((guardrail, index) => {
    for (const key of ['minimum', 'maximum'] as const) {
      if (guardrail[key] !== undefined) keys.push(`guardrails[${index}].${key}`);
    }
  });
  return keys;
}
