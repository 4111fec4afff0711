import type { ExposureLine } from '../../experiments/exposure-line.ts';
import { epochOf } from '../../experiments/epoch.ts';
import type { Choice } from '../../experiments/decision.ts';
import type { Exposure } from './exposure.ts';
import { isoTime } from './iso-time.ts';

/** The part of a line that is the same for all requests of a variant, by experiment and variant. */
const variantParts = new WeakMap<Choice['experiment'], Map<string, string>>();

/** The part that is the same for all requests of a version. */
const versionParts = new WeakMap<Exposure['version'], string>();

/**
 * Writes an exposure as one line of JSON, without its line break; the fields are {@link ExposureLine}'s. The line is put
 * together from parts: most of it is the same for all requests of a variant, and the rest is numbers.
 */
export function exposureLine(exposure: Exposure): string {
  const { choice, unit, version } = exposure;
  const split = choice.hash ?? unit?.split;
  return (
    `{"at":"${isoTime(exposure.atMs)}","prediction_id":"${exposure.predictionId}",` +
    `${variantPartOf(choice)},"reason":"${choice.reason}","unit":${unit !== undefined},` +
    `"split_hash":${split ?? null},"coverage_hash":${unit?.coverage ?? null},` +
    `${versionPartOf(version)},"batch_id":${exposure.batchId ?? null},"batch_rows":${exposure.batchRows ?? null},` +
    `"queue_ms":${milliseconds(exposure.queueMs)},"compute_ms":${milliseconds(exposure.computeMs)},` +
    `"total_ms":${milliseconds(exposure.totalMs)},"outcome":"${exposure.outcome}"}`
  );
}

/** What a line says of its experiment, so that it can be replayed by itself. */
function variantPartOf({ experiment, variant }: Choice): string {
  let parts = variantParts.get(experiment);
  if (parts === undefined) {
    parts = new Map();
    variantParts.set(experiment, parts);
  }
  let part = parts.get(variant.name);
  if (part === undefined) {
    const { epoch, weights, coverage } = epochOf(experiment);
    const fields: Pick<
      ExposureLine,
      'experiment' | 'phase' | 'epoch' | 'weights_version' | 'weights' | 'coverage' | 'control' | 'variant'
    > = {
      experiment: experiment.key,
      phase: experiment.phase,
      epoch,
      weights_version: experiment.weightsVersion,
      weights,
      coverage,
      control: experiment.control.name,
      variant: variant.name,
    };
    part = JSON.stringify(fields).slice(1, -1);
    parts.set(variant.name, part);
  }
  return part;
}

function versionPartOf(version: Exposure['version']): string {
  let part = versionParts.get(version);
  if (part === undefined) {
    const { model, version: number, digest } = version.about;
    const fields: Pick<ExposureLine, 'model' | 'version' | 'digest'> = { model, version: number, digest };
    part = JSON.stringify(fields).slice(1, -1);
    versionParts.set(version, part);
  }
  return part;
}

function milliseconds(value: number | undefined): string {
  return value === undefined ? 'null' : value.toFixed(3);
}
