import { afterEach, expect, test, vi } from 'vitest';
import { identityModel } from '../../models/onnx-graph.ts';
import { experimentFile, metricValue, startGateway } from '../running-gateway.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

/** A size at which the reading of shapes fails, as by a mistake in the gateway's own code. */
const BREAKING = 54_321;

test('a body that the gateway itself fails to read is no error of the variant', async () => {
  await using gateway = await startGateway({
    files: {
      'models/simple/1/model.onnx': identityModel('FP32', ['batch', 4]),
      'models/simple/2/model.onnx': identityModel('FP32', ['batch', 4]),
      'experiments/simple.yaml': experimentFile({ key: 'simple-test', model: 'simple' }),
    },
  });
  const isInteger = Number.isInteger.bind(Number);
  vi.spyOn(Number, 'isInteger').mockImplementation((value) => {
    if (value === BREAKING) throw new RangeError('a mistake of the gateway');
    return isInteger(value);
  });
  const response = await fetch(gateway.url('/v2/models/simple/infer'), {
    method: 'POST',
    body: JSON.stringify({ inputs: [{ name: 'INPUT', shape: [BREAKING], datatype: 'FP32', data: [1] }] }),
  });
  expect(response.status).toBe(500);
  const metrics = await gateway.metrics();
  expect(metricValue(metrics, 'signalbox_requests_total', { outcome: 'error', variant: '' })).toBe(1);
  expect(
    metricValue(metrics, 'signalbox_requests_total', { outcome: 'error', experiment: 'simple-test' }),
  ).toBe(0);
  expect(gateway.log.some((line) => line.includes('a mistake of the gateway'))).toBe(true);
});
