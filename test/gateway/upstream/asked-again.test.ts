/** What a caller sent is read a second time where the variant that it was read for can't answer. */
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { identityModel } from '../../models/onnx-graph.ts';
import { lingeringModel } from '../../models/small-models.ts';
import { eventually, experimentFile, startGateway } from '../running-gateway.ts';
import { startUpstreamGateway } from './upstream-gateway.ts';
import { json, startVariantServer } from './variant-server.ts';

const METADATA = {
  name: 'digits',
  versions: ['1'],
  platform: 'any',
  inputs: [{ name: 'INPUT', datatype: 'UINT8', shape: [-1, 3, 2, 2] }],
  outputs: [{ name: 'OUTPUT', datatype: 'UINT8', shape: [-1, 3, 2, 2] }],
};

/** Noise, so that the file is long: what has its memory to itself could be handed over. */
async function noise(side: number): Promise<Uint8Array<ArrayBuffer>> {
  const pixels = Uint8Array.from({ length: side * side * 3 }, (_, index) => (index * 7919) % 251);
  return Uint8Array.from(
    await sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
      .png()
      .toBuffer(),
  );
}

test("images are answered by the control when the variant's server can not, and images go on being read", async () => {
  await using server = await startVariantServer((response) => {
    json(response, 503, { error: 'full' });
  }, METADATA);
  const image = { resize: [2, 2], scale: 1, activation: 'none', topK: 3 };
  await using gateway = await startUpstreamGateway(server.url, {
    upstream: { retries: 0 },
    files: {
      'models/digits/1/model.onnx': identityModel('UINT8', ['batch', 3, 2, 2]),
      'models/digits/config.yaml': JSON.stringify({ signalbox: { image } }),
    },
  });
  const file = await noise(300);
  const asForm = (): FormData => {
    const form = new FormData();
    form.append('file', new Blob([file]));
    return form;
  };
  // More than there are threads that read images.
  for (const body of [asForm(), file, asForm(), file, asForm(), asForm()]) {
    const answer = await fetch(gateway.url('/predict/digits'), { method: 'POST', body });
    expect([answer.status, answer.headers.get('x-experiment-reason')]).toEqual([200, 'fallback']);
  }
});

test('JSON that is read on a thread of its own is answered by the control when all instances of the variant hang', async () => {
  const variants = [
    { name: 'v1', version: 1, weight: 0 },
    { name: 'v2', version: 2, weight: 1 },
  ];
  await using gateway = await startGateway({
    config: 'timeouts: { run: 200ms, inference: 20s }',
    files: {
      'models/digits/1/model.onnx': identityModel('FP32', ['batch', 1]),
      'models/digits/2/model.onnx': lingeringModel(12),
      'experiments/digits.yaml': experimentFile({ variants }),
    },
  });
  const ask = (value: number, blanks: number): Promise<Response> => {
    const inputs = [{ name: 'INPUT', shape: [1, 1], datatype: 'FP32', data: [value] }];
    const body = JSON.stringify({ inputs }) + ' '.repeat(blanks);
    return fetch(gateway.url('/v2/models/digits/infer'), { method: 'POST', body });
  };
  await eventually(async () => {
    expect((await ask(2500, 0)).status).toBe(504);
    const answer = await ask(5, 1_200_000);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ outputs: [{ data: [5] }] });
    // On a busy machine the run that hung may have come to its end before it was asked.
    return answer.headers.get('x-experiment-reason') === 'fallback';
  });
});
