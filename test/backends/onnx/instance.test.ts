import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CPU } from '../../../backends/onnx/providers/execution-provider.ts';
import { OnnxInstance, RunFailed } from '../../../backends/onnx/instance.ts';
import type { RunMessage } from '../../../backends/onnx/messages.ts';
import { encodeModel, identityModel } from '../../models/onnx-graph.ts';
import { lookupModel, slowModel } from '../../models/small-models.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';

/** Starts an instance of a model; the file is gone when it has been read. */
async function start(model: Uint8Array | string): Promise<OnnxInstance> {
  await using folder = await temporaryFolder({ 'model.onnx': model });
  return await OnnxInstance.start({ modelFile: join(folder.path, 'model.onnx'), threads: 1, provider: CPU });
}

/** A run of one FP32 or INT64 input of zeros. */
function runOfZeros(datatype: 'FP32' | 'INT64', shape: readonly number[]): RunMessage {
  return {
    kind: 'run',
    slab: new SharedArrayBuffer(1 << 20),
    inputs: [{ name: 'INPUT', datatype, shape, byteOffset: 0 }],
    placedOutputs: [],
    sentOutputs: ['OUTPUT'],
    memberRows: [1],
  };
}

test('it tells the inputs and outputs of its graph, with -1 for a free size', async () => {
  const instance = await start(
    encodeModel({
      inputs: [
        { name: 'A', datatype: 'UINT8', shape: ['batch', 3, 'width'] },
        { name: 'B', datatype: 'BYTES', shape: [] },
      ],
      outputs: [{ name: 'X', datatype: 'FP16', shape: ['batch', 3, 'width'] }],
      nodes: [{ op: 'Cast', inputs: ['A'], outputs: ['X'], attributes: { to: 10 } }],
    }),
  );
  expect(instance.inputs).toEqual([
    { name: 'A', datatype: 'UINT8', shape: [-1, 3, -1] },
    { name: 'B', datatype: 'BYTES', shape: [] },
  ]);
  expect(instance.outputs).toEqual([{ name: 'X', datatype: 'FP16', shape: [-1, 3, -1] }]);
  await instance.close();
});

test('a file that is not ONNX is refused with a reason', async () => {
  await expect(start('this is a text')).rejects.toThrow(/protobuf parsing failed/i);
});

test('a model cut short is refused with a reason', async () => {
  await expect(start(identityModel().slice(0, -20))).rejects.toThrow(/protobuf parsing failed/i);
});

test('a file that is not there is refused with its path', async () => {
  const modelFile = '/nowhere/model.onnx';
  await expect(OnnxInstance.start({ modelFile, threads: 1, provider: CPU })).rejects.toThrow(modelFile);
});

test('an operator that the runtime does not know is refused by name', async () => {
  const model = encodeModel({
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1] }],
    outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: [1] }],
    nodes: [{ op: 'Teleport', inputs: ['INPUT'], outputs: ['OUTPUT'] }],
  });
  await expect(start(model)).rejects.toThrow('Teleport');
});

test('a run that fails says why, and the instance runs the next one', async () => {
  const instance = await start(lookupModel());
  const outside = runOfZeros('INT64', [1, 1]);
  new BigInt64Array(outside.slab).set([99n]);
  const failed = instance.run(outside);
  await expect(failed).rejects.toBeInstanceOf(RunFailed);
  await expect(failed).rejects.toThrow('idx=99 must be within the inclusive range [-4,3]');
  const { sent } = await instance.run(runOfZeros('INT64', [1, 1]));
  expect(sent).toEqual([{ name: 'OUTPUT', datatype: 'FP32', shape: [1, 1], data: Float32Array.of(10) }]);
  await instance.close();
});

test('an output with a place is written there and not sent', async () => {
  const instance = await start(identityModel('FP32', ['batch', 2]));
  const slab = new SharedArrayBuffer(128);
  new Float32Array(slab).set([1.5, -2.5]);
  const { sent } = await instance.run({
    kind: 'run',
    slab,
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 2], byteOffset: 0 }],
    placedOutputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: [1, 2], byteOffset: 64 }],
    sentOutputs: [],
    memberRows: [1],
  });
  expect(sent).toEqual([]);
  expect([...new Float32Array(slab, 64, 2)]).toEqual([1.5, -2.5]);
  await instance.close();
});

test('two runs at a time are a mistake of the caller, and the first is not disturbed', async () => {
  const instance = await start(identityModel('FP32', ['batch', 2]));
  const first = instance.run(runOfZeros('FP32', [1, 2]));
  await expect(instance.run(runOfZeros('FP32', [1, 2]))).rejects.toThrow('one batch at a time');
  await expect(first).resolves.toMatchObject({ sent: [{ shape: [1, 2] }] });
  await instance.close();
});

test('closing waits for the run in progress', async () => {
  const instance = await start(slowModel(128, 20));
  const run = instance.run(runOfZeros('FP32', [1, 128, 128]));
  await instance.close();
  await expect(run).resolves.toMatchObject({ sent: [{ name: 'OUTPUT' }] });
});

test('a closed instance runs nothing, and was not said to have died', async () => {
  const instance = await start(identityModel('FP32', ['batch', 2]));
  let died: string | undefined;
  void instance.died.then((reason) => {
    died = reason;
  });
  await instance.close();
  await expect(instance.run(runOfZeros('FP32', [1, 2]))).rejects.toThrow("the instance's worker died");
  expect(died).toBeUndefined();
});
