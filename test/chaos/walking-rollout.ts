import { fragileModel } from '../models/small-models.ts';
import { MEASURED_FILES } from '../gateway/faces/predictions.ts';
import { experimentFile } from '../gateway/running-gateway.ts';

/**
 * Files of a gateway that rolls out version 2, which fails where an input is beyond 3.
 *
 * @param consecutiveErrors of version 2 that roll it back
 */
export function rolloutFiles(
  consecutiveErrors: number,
  steps: readonly object[],
): Readonly<Record<string, string | Uint8Array>> {
  return {
    ...MEASURED_FILES,
    'models/digits/2/model.onnx': fragileModel(),
    'experiments/digits.yaml': experimentFile({
      variants: [
        { name: 'v1', version: 1, weight: 100 },
        { name: 'v2', version: 2, weight: 0 },
      ],
      rollout: { hardFloor: { consecutiveErrors }, steps },
    }),
  };
}
