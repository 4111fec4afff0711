import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NETWORK, readCases, readPhoto } from '../../vectors/torchvision/cases.ts';
import { startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';

/** Between ONNX Runtime's logits and PyTorch's, which add the same products up in another order; they spread over some tens. */
const TOLERANCE = 1e-4;

const CASES = (await readCases()).flatMap(({ file, image, network }) =>
  network === undefined ? [] : [{ file, image, ...network }],
);

let gateway: RunningGateway;
beforeAll(async () => {
  const config = (topK: number): string =>
    JSON.stringify({ signalbox: { image: { ...CASES[0]?.image, topK, activation: 'none' } } });
  const network = await readFile(NETWORK);
  gateway = await startGateway({
    files: {
      'models/logits/1/model.onnx': network,
      'models/logits/config.yaml': config(40),
      'models/top5/1/model.onnx': network,
      'models/top5/config.yaml': config(5),
    },
  });
});
afterAll(() => gateway[Symbol.asyncDispose]());

interface Classes {
  readonly predictions: readonly { readonly class_id: number; readonly confidence: number }[];
}

async function predict(model: string, body: Uint8Array | FormData): Promise<unknown> {
  const options = { method: 'POST', body: body as Uint8Array<ArrayBuffer> };
  return (await fetch(gateway.url(`/predict/${model}`), options)).json();
}

describe('a network gives through the gateway what PyTorch gives behind torchvision', () => {
  test.each(CASES)('$file: the logits within the tolerance, and the same top five', async (stated) => {
    const photo = await readPhoto(stated.file);
    const [all, best] = (await Promise.all(
      ['logits', 'top5'].map((model) => predict(model, photo)),
    )) as Classes[];
    const logits = all?.predictions.toSorted((a, b) => a.class_id - b.class_id) ?? [];
    expect(logits).toHaveLength(stated.logits.length);
    const furthest = stated.logits.reduce(
      (most, logit, id) => Math.max(most, Math.abs((logits[id]?.confidence ?? NaN) - logit)),
      0,
    );
    expect(furthest).toBeLessThan(TOLERANCE);
    expect(best?.predictions.map((prediction) => prediction.class_id)).toEqual(stated.top5);
  });

  test('all photographs in one request: each has its own answer, in their order', async () => {
    const form = new FormData();
    for (const { file } of CASES) form.append('file', new Blob([await readPhoto(file)]), file);
    const { results } = (await predict('top5', form)) as { readonly results: readonly Classes[] };
    expect(results.map(({ predictions }) => predictions.map(({ class_id }) => class_id))).toEqual(
      CASES.map(({ top5 }) => top5),
    );
  });
});
