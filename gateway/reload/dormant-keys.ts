import type { Experiment } from '../../experiments/definition.ts';

/**
 * The keys of an experiment that are read and checked, and that nothing in this release acts on: whoever writes one is
 * told, so that nobody takes a plan for a fact.
 */
export function dormantKeys({ mirror, metrics, guardrails }: Experiment): readonly string[] {
  const keys: string[] = [];
  if (mirror !== undefined) keys.push('mirror');
  if (metrics.length > 0) keys.push('metrics');
  if (guardrails.length > 0) keys.push('guardrails');
  return keys;
}
