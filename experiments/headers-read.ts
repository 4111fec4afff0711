import type { AttributeSource, UnitSource } from './attribute.ts';
import type { ExperimentSet } from './experiment-set.ts';

const known = new WeakMap<ExperimentSet, ReadonlySet<string>>();

/** The request headers that some experiment looks at, by their lower-case names; read once for each set. */
export function headersRead(experiments: ExperimentSet): ReadonlySet<string> {
  const before = known.get(experiments);
  if (before !== undefined) return before;
  const names = new Set<string>();
  const add = (source: UnitSource | AttributeSource): void => {
    if (source.kind === 'header') names.add(source.name);
  };
  for (const { hashAttribute, match } of experiments.byKey.values()) {
    add(hashAttribute);
    for (const { conditions } of match) for (const { source } of conditions) add(source);
  }
  known.set(experiments, names);
  return names;
}
