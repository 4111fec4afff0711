import { wantedVersions } from './look.ts';
import type { ModelLook } from './look.ts';

/**
 * The cores, shared out over the instances of all versions that are wished, so that they don't fight over them.
 *
 * @param looks of the models that should be loaded
 * @returns threads of one run, >= 1, where a configuration asks for no number
 */
export function threadShare(cores: number, looks: Iterable<ModelLook>): number {
  let instances = 0;
  for (const look of looks) {
    const { settings } = look;
    if (settings.kind === 'refused' || settings.config.backend.kind !== 'onnxruntime') continue;
    instances += wantedVersions(look).length * settings.config.instances;
  }
  return Math.max(1, Math.floor(cores / Math.max(1, instances)));
}
