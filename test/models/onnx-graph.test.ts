import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CPU } from '../../backends/onnx/providers/execution-provider.ts';
import { OnnxInstance } from '../../backends/onnx/instance.ts';
import { identityModel } from './onnx-graph.ts';
import { temporaryFolder } from './temporary-folder.ts';

test('the models that tests make are models that ONNX Runtime loads', async () => {
  await using folder = await temporaryFolder({ 'model.onnx': identityModel('INT32', ['batch', 3]) });
  const instance = await OnnxInstance.start({
    modelFile: join(folder.path, 'model.onnx'),
    threads: 1,
    provider: CPU,
  });
  expect(instance.inputs).toEqual([{ name: 'INPUT', datatype: 'INT32', shape: [-1, 3] }]);
  expect(instance.outputs).toEqual([{ name: 'OUTPUT', datatype: 'INT32', shape: [-1, 3] }]);
  await instance.close();
});
