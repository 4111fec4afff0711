import { bytesPerElement } from '../tensor/datatype.ts';
import type { NumericTensor, Tensor, TensorSpec } from '../tensor/tensor.ts';
import { elementCount } from '../tensor/tensor.ts';
import type { RunMessage, TensorPlace } from './messages.ts';
import { SLAB_ALIGNMENT } from './slab.ts';

/** Where everything of one batch stands. */
export interface BatchLayout {
  /** Bytes of slab that the batch needs. */
  readonly bytes: number;
  /** By input position; undefined where the input is BYTES, which travels in the message. */
  readonly inputs: readonly (TensorPlace | undefined)[];
  readonly placedOutputs: readonly TensorPlace[];
  readonly sentOutputs: readonly string[];
}

/**
 * Lays a batch out in one slab: the inputs, then those outputs whose shape is known before the run.
 *
 * @param example the inputs of any request of the batch: all have the same shape but for the rows
 * @param rows rows of the whole batch; undefined for a model that doesn't batch
 */
export function layOut(
  example: readonly Tensor[],
  outputs: readonly PlannedOutput[],
  rows: number | undefined,
): BatchLayout {
  let bytes = 0;
  const place = (
    name: string,
    datatype: NumericTensor['datatype'],
    shape: readonly number[],
  ): TensorPlace => {
    const byteOffset = bytes;
    const length = elementCount(shape) * bytesPerElement(datatype);
    bytes += Math.ceil(length / SLAB_ALIGNMENT) * SLAB_ALIGNMENT;
    return { name, datatype, shape, byteOffset };
  };
  const inputs = example.map((tensor) =>
    tensor.datatype === 'BYTES'
      ? undefined
      : place(tensor.name, tensor.datatype, batchShape(tensor.shape, rows)),
  );
  const placedOutputs: TensorPlace[] = [];
  const sentOutputs: string[] = [];
  for (const { spec, predictable } of outputs) {
    if (predictable && spec.datatype !== 'BYTES') {
      placedOutputs.push(place(spec.name, spec.datatype, batchShape(spec.shape, rows)));
    } else {
      sentOutputs.push(spec.name);
    }
  }
  return { bytes, inputs, placedOutputs, sentOutputs };
}

/** An output, and whether its shape follows from the rows alone. */
export interface PlannedOutput {
  readonly spec: TensorSpec;
  readonly predictable: boolean;
}

function batchShape(shape: readonly number[], rows: number | undefined): readonly number[] {
  return rows === undefined ? shape : [rows, ...shape.slice(1)];
}

/** Copies the requests' inputs into the slab, one after the other along the rows. */
export function gather(
  requests: readonly { readonly inputs: readonly Tensor[] }[],
  layout: BatchLayout,
  slab: SharedArrayBuffer,
  rows: number | undefined,
): RunMessage['inputs'] {
  const bytes = new Uint8Array(slab);
  return layout.inputs.map((place, position) => {
    const parts = requests.map((request) => inputAt(request.inputs, position));
    if (place === undefined) return joinStrings(parts, rows);
    let offset = place.byteOffset;
    for (const part of parts) {
      if (part.datatype === 'BYTES') throw new Error(`input "${part.name}" changed its type within a batch`);
      bytes.set(new Uint8Array(part.data.buffer, part.data.byteOffset, part.data.byteLength), offset);
      offset += part.data.byteLength;
    }
    return place;
  });
}

function joinStrings(parts: readonly Tensor[], rows: number | undefined): RunMessage['inputs'][number] {
  const [first] = parts;
  if (first === undefined) throw new Error('a batch has at least one request');
  const data = parts.flatMap((part) => (part.datatype === 'BYTES' ? part.data.map(textOf) : []));
  return { name: first.name, datatype: 'BYTES', shape: batchShape(first.shape, rows), data };
}

/** ONNX Runtime takes texts only, and requests are checked for it before. */
function textOf(element: string | Uint8Array): string {
  if (typeof element === 'string') return element;
  throw new Error('an element is no text');
}

function inputAt(inputs: readonly Tensor[], position: number): Tensor {
  const input = inputs[position];
  if (input === undefined) throw new Error(`a request of the batch has no input ${position}`);
  return input;
}

/** The rows `[start, start + rows)` of a batch's tensor, as a view: nothing is copied. */
export function sliceRows(tensor: Tensor, start: number, rows: number): Tensor {
  const { name } = tensor;
  const row = tensor.shape.slice(1);
  const shape = [rows, ...row];
  const perRow = elementCount(row);
  const from = start * perRow;
  const to = (start + rows) * perRow;
  if (tensor.datatype === 'BYTES')
    return { name, datatype: tensor.datatype, shape, data: tensor.data.slice(from, to) };
  return { name, datatype: tensor.datatype, shape, data: tensor.data.subarray(from, to) };
}
