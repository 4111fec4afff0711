import { expect, test } from 'vitest';
import { ServedModel } from '../../../backends/repository/served-model.ts';
import { findVersion, noVersionReady } from '../../../gateway/pipeline/route.ts';

test('a version that is only being loaded is told as that', () => {
  const model = new ServedModel('m');
  model.begin(3, 'its files');
  expect(noVersionReady(model)).toBe(
    "Request for unknown model: 'm' has no available versions (version 3: it is being loaded)",
  );
  expect(() => findVersion(model, '3')).toThrow("model 'm' version 3 is not ready: it is being loaded");
  model.fail(3, 'its files', 'it is no ONNX');
  expect(() => findVersion(model, '3')).toThrow("model 'm' version 3 is not ready: it is no ONNX");
});
