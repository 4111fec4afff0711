import { expect, test } from 'vitest';
import { addingModel } from '../../models/small-models.ts';
import { experimentFile, metricValue, startGateway } from '../running-gateway.ts';

const VARIANTS = 100;
const SCRAPES = 30;
const LIMIT_MS = 20;

const BODY = JSON.stringify({ inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 2], data: [1, 2] }] });

test(`a scrape over HTTP takes less than ${LIMIT_MS} ms with ${VARIANTS} variants that all had requests`, async () => {
  const variants = Array.from({ length: VARIANTS }, (_, index) => ({
    name: `v${index}`,
    version: 1,
    weight: 1,
  }));
  await using gateway = await startGateway({
    files: {
      'models/digits/1/model.onnx': addingModel(1),
      'experiments/digits-cnn.yaml': experimentFile({ control: 'v0', variants }),
    },
  });
  const infer = async (name: string, body: string): Promise<number> =>
    (
      await fetch(gateway.url('/v2/models/digits/infer'), {
        method: 'POST',
        headers: { 'x-experiment': name },
        body,
      })
    ).status;
  for (const { name } of variants) {
    expect(await infer(name, BODY)).toBe(200);
    expect(await infer(name, '{}')).toBe(400);
  }
  const text = await gateway.metrics();
  expect(metricValue(text, 'signalbox_request_duration_seconds_count')).toBe(2 * VARIANTS);
  const timesMs: number[] = [];
  for (let scrape = 0; scrape < SCRAPES; scrape++) {
    const startMs = performance.now();
    await gateway.metrics();
    timesMs.push(performance.now() - startMs);
  }
  // Other tests share the machine: the fastest of them is what the scrape itself takes.
  expect(Math.min(...timesMs), `${text.split('\n').length} lines, ${String(timesMs)}`).toBeLessThan(LIMIT_MS);
});
