import type { InstanceCounts, Servable, VersionDescription } from '../../backends/servable.ts';

/** The instances of a version, of all that are loaded under its number. */
export interface VersionInstances extends InstanceCounts {
  readonly model: string;
  readonly version: number;
}

type Counted = Pick<Servable, 'instances'> & {
  readonly about: Pick<VersionDescription, 'model' | 'version'>;
};

/**
 * The instances of the versions that serve, and those that hang of versions that don't any more: their thread and memory stay until
 * the run ends.
 */
export function instancesByVersion(
  serving: readonly Counted[],
  draining: readonly Counted[],
): readonly VersionInstances[] {
  const counts = new Map<string, VersionInstances>();
  const add = ({ about: { model, version } }: Counted, { ready, hung, wanted }: InstanceCounts): void => {
    const key = `${model}/${version}`;
    const before = counts.get(key) ?? { ready: 0, hung: 0, wanted: 0 };
    counts.set(key, {
      ...{ model, version },
      ready: before.ready + ready,
      hung: before.hung + hung,
      wanted: before.wanted + wanted,
    });
  };
  for (const version of serving) if (version.instances !== undefined) add(version, version.instances);
  for (const version of draining) {
    const hung = version.instances?.hung ?? 0;
    if (hung > 0) add(version, { ready: 0, hung, wanted: hung });
  }
  return [...counts.values()];
}
