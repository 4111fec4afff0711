import { nameSource } from '../../experiments/attribute.ts';
import type { Caller, InputMetadata } from '../../experiments/attribute.ts';
import type { DecisionContext } from '../../experiments/decision.ts';
import { MemoryStickyAssignments } from '../../experiments/sticky-assignments.ts';

export interface SampleCaller {
  /** By lower-case name. */
  readonly headers?: Readonly<Record<string, string>>;
  /** By source, as `cookie uid` or `API key`. */
  readonly attributes?: Readonly<Record<string, string>>;
  readonly inputs?: readonly InputMetadata[];
  /** Versions that can answer. */
  readonly ready?: readonly number[];
}

/** A caller that says what is given, and nothing else. */
export function sampleCaller({
  headers = {},
  attributes = {},
  inputs = [],
  ready = [1, 2, 3],
}: SampleCaller = {}): Caller {
  const values = new Map(Object.entries(attributes));
  for (const [name, value] of Object.entries(headers)) values.set(`header ${name}`, value);
  return {
    override: () => values.get('header x-experiment'),
    attribute: (source) => values.get(nameSource(source)),
    unit: (source) => values.get(nameSource(source)),
    inputs: () => inputs,
    mayKnow: () => true,
    isReady: ({ version = 0 }) => ready.includes(version),
  };
}

/** A clock that stands still, a memory of its own, and units drawn one after the other. */
export function sampleContext(changes: Partial<DecisionContext> = {}): DecisionContext {
  let drawn = 0;
  return {
    sticky: new MemoryStickyAssignments(() => undefined),
    nowMs: () => Date.UTC(2026, 10, 22),
    randomUnit: () => `drawn-${drawn++}`,
    ...changes,
  };
}
