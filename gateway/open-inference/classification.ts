import { labelsOf } from '../../backends/class-labels.ts';
import type { ClassLabels } from '../../backends/class-labels.ts';
import type { VersionDescription } from '../../backends/servable.ts';
import { toNumbers } from '../../backends/tensor/datatype.ts';
import type { NumericArray } from '../../backends/tensor/datatype.ts';
import type { BytesTensor, NumericTensor, Tensor } from '../../backends/tensor/tensor.ts';
import { invalid } from '../json-values.ts';

/** Elements of an output that classes are picked from; more would hold the main thread. */
const MOST_ELEMENTS = 250_000;

/** Up to here the best are kept in order while one pass goes over the scores; beyond, sorting them all is cheaper. */
const MOST_KEPT_IN_ORDER = 32;

/**
 * The classification extension: an output's `count` highest elements in its place, each as `value:index[:label]`, best
 * first and of equal ones the lower index. For a model that batches the shape is `[rows, count]`, else `[count]`.
 *
 * @throws GatewayError `invalid_request` for an output that has no order, or too many elements
 */
export function classify(
  tensor: Tensor,
  count: number,
  version: ClassLabels & Pick<VersionDescription, 'maxBatchSize'>,
): BytesTensor {
  const { maxBatchSize } = version;
  const { name, datatype, shape } = tensor;
  if (datatype === 'BYTES' || datatype === 'BOOL') {
    throw invalid(`class result not available for output '${name}' due to unsupported type '${datatype}'`);
  }
  if (tensor.data.length > MOST_ELEMENTS) {
    throw invalid(
      `output '${name}' has ${tensor.data.length} elements; classes are picked from ${MOST_ELEMENTS} at most`,
    );
  }
  const rows = maxBatchSize > 0 ? (shape[0] ?? 1) : 1;
  const classes = rows === 0 ? 0 : tensor.data.length / rows;
  const wanted = Math.min(count, classes);
  const scores = comparable(tensor);
  const labels = labelsOf(version, name);
  const data: string[] = [];
  for (let row = 0; row < rows; row++) {
    const start = row * classes;
    for (const index of bestOf(scores, start, classes, wanted)) {
      const label = labels[index];
      const value = textOf(datatype, scores[start + index] ?? 0);
      data.push(label === undefined ? `${value}:${index}` : `${value}:${index}:${label}`);
    }
  }
  return { name, datatype: 'BYTES', shape: maxBatchSize > 0 ? [rows, wanted] : [wanted], data };
}

type Scores = NumericArray | readonly number[];

/** Halves are kept as their bits, which have another order than the numbers. */
function comparable(tensor: NumericTensor): Scores {
  return tensor.datatype === 'FP16' ? toNumbers(tensor.datatype, tensor.data) : tensor.data;
}

/** Indices from `start` on, best first; NaN counts as less than every number. */
function bestOf(scores: Scores, start: number, length: number, wanted: number): readonly number[] {
  const at = (index: number): number | bigint => {
    const score = scores[start + index] ?? 0;
    return Number.isNaN(score) ? -Infinity : score;
  };
  if (wanted > MOST_KEPT_IN_ORDER) {
    const order = (a: number, b: number): number => (at(a) > at(b) ? -1 : at(a) < at(b) ? 1 : a - b);
    return Array.from({ length }, (_, index) => index)
      .sort(order)
      .slice(0, wanted);
  }
  const best: number[] = [];
  for (let index = 0; index < length; index++) {
    const score = at(index);
    const worst = best[wanted - 1];
    if (wanted === 0 || (worst !== undefined && score <= at(worst))) continue;
    let place = best.length;
    while (place > 0 && score > at(best[place - 1] ?? 0)) place -= 1;
    best.splice(place, 0, index);
    best.length = Math.min(best.length, wanted);
  }
  return best;
}

/** As Triton writes them: six decimals for what has a fraction. */
function textOf(datatype: Tensor['datatype'], value: number | bigint): string {
  if (typeof value === 'bigint' || !datatype.startsWith('FP')) return String(value);
  if (Number.isNaN(value)) return 'nan';
  return Number.isFinite(value) ? value.toFixed(6) : value > 0 ? 'inf' : '-inf';
}
