import type { ExposureLine } from '../../experiments/exposure-line.ts';
import { epochOf } from '../../experiments/epoch.ts';
import type { Choice } from '../../experiments/decision.ts';
import type { Exposure } from './exposure.ts';

/** The part of a line that is the same for all requests of a variant, by experiment and variant. */
const fixedParts = new WeakMap<Choice['experiment'], Map<string, string>>();

/**
 * Writes an exposure as one line of JSON, without its line break; the fields are {@link ExposureLine}'s. The line is put
 * together from parts: most of it is the same for all requests of a variant, and the rest is numbers.
 */
export function exposureLine(exposure: Exposure): string {
  const { choice, unit, version } = exposure;
  const split = choice.hash ?? unit?.split;
  return (
    `{"at":"${new Date(exposure.atMs).toISOString()}","prediction_id":"${exposure.predictionId}",` +
    `${fixedPartOf(choice)},"reason":"${choice.reason}","unit":${unit !== undefined},` +
    `"split_hash":${split ?? null},"coverage_hash":${unit?.coverage ?? null},` +
    `"model":${JSON.stringify(version.model)},"version":${version.version},"digest":"${version.digest}",` +
    `"batch_id":${exposure.batchId ?? null},"batch_rows":${exposure.batchRows ?? null},` +
    `"queue_ms":${milliseconds(exposure.queueMs)},"compute_ms":${milliseconds(exposure.computeMs)},` +
    `"total_ms":${milliseconds(exposure.totalMs)},"outcome":"${exposure.outcome}"}`
  );
}

/** The first field that isn't of a request: what a line says of its experiment, so that it can be replayed by itself. */
function fixedPartOf({ experiment, variant }: Choice): string {
  let parts = fixedParts.get(experiment);
  if (parts === undefined) {
    parts = new Map();
    fixedParts.set(experiment, parts);
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

function milliseconds(value: number | undefined): string {
  return value === undefined ? 'null' : value.toFixed(3);
}
