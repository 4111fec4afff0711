import type { GraphSignature } from '../declared-signature.ts';
import type { Tensor, TensorSpec } from '../tensor/tensor.ts';
import type { PlannedOutput } from './batch-layout.ts';
import { FirstRunHung, firstRun } from './first-run.ts';
import type { OnnxInstance } from './instance.ts';
import { zeroRun } from './zero-run.ts';

/** Rows in a batch where the graph leaves them free and the configuration says nothing. */
export const DEFAULT_MAX_BATCH_SIZE = 32;

/** Rows of the probe: neither 1, which any shape could have by chance, nor many. */
const PROBE_ROWS = 2;

/** How a version is batched. */
export interface ModelPlan {
  /** 0: it isn't. */
  readonly maxBatchSize: number;
  readonly outputs: readonly PlannedOutput[];
}

/**
 * Finds out from the graph, and from one run over zeros, whether the model batches along its first dimension and
 * which outputs have a shape that follows from the rows alone.
 *
 * @param configured the configuration's `max_batch_size`; undefined: as the graph says
 * @param limitMs after that the run counts as hung; undefined: it may take as long as it takes
 * @throws FirstRunHung; Error when the configuration wants batches that the graph can't take
 */
export async function planModel(
  instance: OnnxInstance,
  configured: number | undefined,
  limitMs: number | undefined,
): Promise<ModelPlan> {
  const batches = batchesRows(instance, configured);
  const probed = await probe(instance, batches ? PROBE_ROWS : undefined, limitMs);
  const keepsRows = probed?.every((output) => output.shape[0] === PROBE_ROWS) ?? true;
  if (batches && !keepsRows) {
    if (configured === undefined)
      return { maxBatchSize: 0, outputs: planOutputs(instance.outputs, undefined) };
    throw new Error(
      `max_batch_size is ${configured}, but of ${PROBE_ROWS} rows the model made outputs of ` +
        `${probed?.map(({ name, shape }) => `"${name}" [${shape.join(', ')}]`).join(', ') ?? 'other sizes'}; ` +
        'set max_batch_size: 0',
    );
  }
  const maxBatchSize = batches ? (configured ?? DEFAULT_MAX_BATCH_SIZE) : 0;
  return { maxBatchSize, outputs: planOutputs(instance.outputs, batches ? probed : undefined) };
}

/**
 * Whether the model is batched, as far as its graph tells: whether an output keeps the rows only a run shows.
 *
 * @throws Error when the configuration wants batches that the graph can't take
 */
export function batchesRows({ inputs, outputs }: GraphSignature, configured: number | undefined): boolean {
  const fixed = [...inputs, ...outputs].find((spec) => spec.shape[0] !== -1);
  if (configured !== undefined && configured > 0 && fixed !== undefined) {
    throw new Error(
      `max_batch_size is ${configured}, but the first dimension of "${fixed.name}" isn't free: its shape is ` +
        `[${fixed.shape.join(', ')}]; export the model with a free first dimension, or set max_batch_size: 0`,
    );
  }
  return configured !== 0 && fixed === undefined;
}

/** An output is predictable when only its rows are free, and the probe's output had just that shape. */
function planOutputs(
  outputs: readonly TensorSpec[],
  probed: readonly Tensor[] | undefined,
): readonly PlannedOutput[] {
  return outputs.map((spec, index) => {
    const seen = probed?.[index]?.shape;
    const predictable =
      seen?.length === spec.shape.length &&
      spec.shape.every((size, axis) => (axis === 0 ? size === -1 : size >= 0 && size === seen[axis]));
    return { spec, predictable };
  });
}

/** Runs the model over zeros and empty strings; undefined where it refuses them, which says nothing about real inputs. */
async function probe(
  instance: OnnxInstance,
  rows: number | undefined,
  limitMs: number | undefined,
): Promise<readonly Tensor[] | undefined> {
  try {
    const { sent } = await firstRun(instance, zeroRun(instance, rows), 'a run over zeros', limitMs);
    return sent;
  } catch (error) {
    if (error instanceof FirstRunHung) throw error;
    return undefined;
  }
}
