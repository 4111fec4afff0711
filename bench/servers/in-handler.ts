/** What many teams start from: the model is called in the request's handler, one request at a time, without batching. */
import fastify from 'fastify';
import type { AddressInfo } from 'node:net';
import * as ort from 'onnxruntime-node';
import { serveBench } from './server-process.ts';

interface V2Body {
  readonly inputs: readonly { readonly data: readonly number[] }[];
}

/** One request in ten goes to the last model: the gateway's 90/10, at no cost. */
const SPLIT = 10;

serveBench(async ({ models = [] }) => {
  const options: ort.InferenceSession.SessionOptions = { intraOpNumThreads: 1, interOpNumThreads: 1 };
  const sessions = await Promise.all(models.map((model) => ort.InferenceSession.create(model, options)));
  const app = fastify();
  let turn = 0;
  app.post<{ Body: V2Body }>('/v2/models/digits/infer', async (request) => {
    const version = ++turn % SPLIT === 0 ? sessions.length - 1 : 0;
    const session = sessions[version];
    const data = request.body.inputs[0]?.data;
    if (session === undefined || data?.length !== 64) throw new Error('expected one input of 64 numbers');
    const image = new ort.Tensor('float32', Float32Array.from(data), [1, 1, 8, 8]);
    const { logits } = await session.run({ image });
    return {
      model_name: 'digits',
      model_version: String(version + 1),
      outputs: [
        { name: 'logits', datatype: 'FP32', shape: [1, 10], data: Array.from(logits?.data as Float32Array) },
      ],
    };
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  return { port, averageBatch: () => Promise.resolve(undefined), stop: () => app.close() };
});
