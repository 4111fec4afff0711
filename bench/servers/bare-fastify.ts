/** The ceiling: a Fastify route that parses a v2 request and serialises a v2 answer, and does nothing else. */
import fastify from 'fastify';
import type { AddressInfo } from 'node:net';
import { serveBench } from './server-process.ts';

interface V2Body {
  readonly inputs: readonly { readonly data: readonly number[] }[];
}

const LOGITS = Array.from({ length: 10 }, (_, digit) => Math.fround(Math.sin(digit) * 7));

serveBench(async () => {
  const app = fastify();
  app.post<{ Body: V2Body }>('/v2/models/digits/infer', (request) => {
    if (request.body.inputs[0]?.data.length !== 64) throw new Error('expected one input of 64 numbers');
    return {
      model_name: 'digits',
      model_version: '1',
      outputs: [{ name: 'logits', datatype: 'FP32', shape: [1, 10], data: LOGITS }],
    };
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  return { port, averageBatch: () => Promise.resolve(undefined), stop: () => app.close() };
});
