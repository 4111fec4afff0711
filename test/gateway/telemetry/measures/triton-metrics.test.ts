import { expect, test } from 'vitest';
import { addingModel, lookupModel } from '../../../models/small-models.ts';
import { metricValue, startGateway } from '../../running-gateway.ts';
import type { RunningGateway } from '../../running-gateway.ts';

function start(telemetry: string): Promise<RunningGateway> {
  return startGateway({
    config: `telemetry: ${telemetry}`,
    files: {
      'models/adding/1/model.onnx': addingModel(1),
      'models/adding/config.yaml': 'response_cache: { enable: true }',
      'models/lookup/2/model.onnx': lookupModel(),
    },
  });
}

async function infer(gateway: RunningGateway, model: string, tensor: object): Promise<number> {
  const body = JSON.stringify({ inputs: [{ name: 'INPUT', ...tensor }] });
  return (await fetch(gateway.url(`/v2/models/${model}/infer`), { method: 'POST', body })).status;
}

test('what versions do stands under Triton’s names, in its units, where that is wanted', async () => {
  await using gateway = await start('{ tritonMetrics: true }');
  const rows = { datatype: 'FP32', shape: [3, 2], data: [1, 2, 3, 4, 5, 6] };
  expect(await infer(gateway, 'adding', rows)).toBe(200);
  expect(await infer(gateway, 'adding', rows)).toBe(200);
  expect(await infer(gateway, 'lookup', { datatype: 'INT64', shape: [1, 1], data: [99] })).toBe(500);
  const text = await gateway.metrics();
  const value = (name: string, labels: Readonly<Record<string, string>>): number =>
    metricValue(text, `nv_${name}`, labels);
  const adding = { model: 'adding', version: '1' };
  expect({
    success: value('inference_request_success', adding),
    failure: value('inference_request_failure', adding),
    rows: value('inference_count', adding),
    runs: value('inference_exec_count', adding),
    hits: value('cache_num_hits_per_model', adding),
    misses: value('cache_num_misses_per_model', adding),
    pending: value('inference_pending_request_count', adding),
  }).toEqual({ success: 2, failure: 0, rows: 3, runs: 1, hits: 1, misses: 1, pending: 0 });
  const parts = ['queue', 'compute_input', 'compute_infer', 'compute_output'].map((part) =>
    value(`inference_${part}_duration_us`, adding),
  );
  for (const part of parts) expect(Number.isInteger(part)).toBe(true);
  // Each part is rounded to a microsecond.
  expect(value('inference_request_duration_us', adding)).toBeGreaterThanOrEqual(
    parts.reduce((sum, part) => sum + part) - 3,
  );
  const lookup = { model: 'lookup', version: '2' };
  expect(value('inference_request_failure', { ...lookup, reason: 'BACKEND' })).toBe(1);
  expect(value('inference_request_failure', lookup)).toBe(1);
  expect(value('cpu_memory_total_bytes', {})).toBeGreaterThan(value('cpu_memory_used_bytes', {}));
  expect(text).toContain('# TYPE nv_inference_request_success counter\n');
  expect(text).toContain('# TYPE nv_gpu_utilization gauge\n');
});

test('nobody who didn’t ask has them', async () => {
  await using gateway = await start('{}');
  expect(await gateway.metrics()).not.toContain('nv_');
});
