import type { Problem } from '../../documents/problem.ts';
import type { SourceDocument } from '../../documents/source-document.ts';
import type { ModelConfigFile } from './model-config-schema.ts';

/** Instances of a version on one kind of device. */
export interface InstanceGroup {
  readonly name: string | undefined;
  readonly kind: 'KIND_AUTO' | 'KIND_CPU' | 'KIND_GPU';
  /** >= 1; of a group on GPUs, on each of them. */
  readonly count: number;
  /** The GPUs' numbers; empty: all there are. */
  readonly gpus: readonly number[];
}

/** Reads `instance_group`. KIND_MODEL leaves the choice of the device to the backend, which is what KIND_AUTO does here. */
export function readInstanceGroups(
  file: ModelConfigFile,
  document: SourceDocument,
): { readonly groups: readonly InstanceGroup[]; readonly warnings: readonly Problem[] } {
  const warnings: Problem[] = [];
  const groups = (file.instance_group ?? []).map(
    ({ name, kind, count = 1, gpus = [] }, index): InstanceGroup => {
      if (kind === 'KIND_MODEL') {
        const path = ['instance_group', index, 'kind'];
        warnings.push(document.problemAt(path, 'is KIND_MODEL, which is taken as KIND_AUTO'));
      }
      return {
        name: name === '' ? undefined : name,
        kind: kind === 'KIND_CPU' || kind === 'KIND_GPU' ? kind : 'KIND_AUTO',
        count,
        gpus,
      };
    },
  );
  return { groups, warnings };
}
