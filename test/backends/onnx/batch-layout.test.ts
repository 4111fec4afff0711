import { describe, expect, test } from 'vitest';
import { gather, layOut, sliceRows } from '../../../backends/onnx/batch-layout.ts';
import type { PlannedOutput } from '../../../backends/onnx/batch-layout.ts';
import { SLAB_ALIGNMENT } from '../../../backends/onnx/slab.ts';
import type { Tensor } from '../../../backends/tensor/tensor.ts';

const floats = (values: readonly number[], shape: readonly number[]): Tensor => ({
  name: 'A',
  datatype: 'FP32',
  shape,
  data: Float32Array.from(values),
});
const strings = (data: readonly string[], shape: readonly number[]): Tensor => ({
  name: 'S',
  datatype: 'BYTES',
  shape,
  data,
});
const output = (name: string, datatype: Tensor['datatype'], predictable: boolean): PlannedOutput => ({
  spec: { name, datatype, shape: [-1, 3] },
  predictable,
});

describe('a layout', () => {
  test('places inputs and predictable outputs with the rows of the whole batch, none over another', () => {
    const layout = layOut(
      [
        floats([1, 2], [1, 2]),
        { ...floats([], [1, 3]), name: 'B', datatype: 'FP64', data: new Float64Array(3) },
      ],
      [output('Y', 'INT8', true)],
      5,
    );
    expect(layout.inputs).toEqual([
      { name: 'A', datatype: 'FP32', shape: [5, 2], byteOffset: 0 },
      { name: 'B', datatype: 'FP64', shape: [5, 3], byteOffset: 64 },
    ]);
    expect(layout.placedOutputs).toEqual([{ name: 'Y', datatype: 'INT8', shape: [5, 3], byteOffset: 192 }]);
    expect(layout.bytes).toBe(256);
    for (const place of layout.placedOutputs) expect(place.byteOffset % SLAB_ALIGNMENT).toBe(0);
  });

  test('has strings, and outputs whose shape is not known before, travel in the message', () => {
    const layout = layOut([strings(['a'], [1])], [output('T', 'BYTES', true), output('U', 'FP32', false)], 2);
    expect(layout).toEqual({ bytes: 0, inputs: [undefined], placedOutputs: [], sentOutputs: ['T', 'U'] });
  });

  test('leaves the shapes alone where the model does not batch', () => {
    const layout = layOut([floats([1, 2], [1, 2])], [], undefined);
    expect(layout.inputs).toEqual([{ name: 'A', datatype: 'FP32', shape: [1, 2], byteOffset: 0 }]);
  });
});

test('requests are gathered one after the other along the rows', () => {
  const requests = [
    { inputs: [floats([1, 2], [1, 2]), strings(['a'], [1])] },
    { inputs: [floats([3, 4, 5, 6], [2, 2]), strings(['b', 'c'], [2])] },
  ];
  const [first] = requests;
  const layout = layOut(first?.inputs ?? [], [], 3);
  const slab = new SharedArrayBuffer(4096);
  const inputs = gather(requests, layout, slab, 3);
  expect([...new Float32Array(slab, 0, 6)]).toEqual([1, 2, 3, 4, 5, 6]);
  expect(inputs).toEqual([
    { name: 'A', datatype: 'FP32', shape: [3, 2], byteOffset: 0 },
    { name: 'S', datatype: 'BYTES', shape: [3], data: ['a', 'b', 'c'] },
  ]);
});

test('an input that is a part of a larger buffer is gathered as that part alone', () => {
  const body = Float32Array.of(9, 9, 1, 2, 9);
  const input: Tensor = { name: 'A', datatype: 'FP32', shape: [1, 2], data: body.subarray(2, 4) };
  const slab = new SharedArrayBuffer(4096);
  gather([{ inputs: [input] }], layOut([input], [], 1), slab, 1);
  expect([...new Float32Array(slab, 0, 3)]).toEqual([1, 2, 0]);
});

describe('rows of a batch', () => {
  test('are a view of just those rows', () => {
    const batch = floats([1, 2, 3, 4, 5, 6], [3, 2]);
    const rows = sliceRows(batch, 1, 2);
    expect(rows).toEqual(floats([3, 4, 5, 6], [2, 2]));
    if (rows.datatype === 'BYTES' || batch.datatype === 'BYTES') throw new Error('expected numbers');
    expect(rows.data.buffer).toBe(batch.data.buffer);
  });

  test('of strings are just those strings', () => {
    expect(sliceRows(strings(['a', 'b', 'c', 'd'], [2, 2]), 1, 1)).toEqual(strings(['c', 'd'], [1, 2]));
  });
});
