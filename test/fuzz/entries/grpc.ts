import { status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { GrpcClient, inferRequest, methodsOf } from '../../gateway/faces/grpc/grpc-client.ts';
import type { Entry } from '../entry.ts';
import { ACCEPTED } from '../verdict.ts';
import type { Verdict } from '../verdict.ts';
import { gatewayFor } from '../fuzzed-gateway.ts';

/** What says that the gateway itself is at fault. */
export const FAULTS: ReadonlySet<number> = new Set<number>([
  status.UNKNOWN,
  status.INTERNAL,
  status.UNAVAILABLE,
  status.DATA_LOSS,
]);

/** Messages of ModelInfer as bytes, well-formed and not. */
export const grpcInfer: Entry = {
  name: 'grpc-infer',
  async open(shared) {
    const { gateway, release } = await gatewayFor(shared);
    const client = new GrpcClient(gateway.addresses.grpc);
    const serialize = methodsOf('inference.proto', 'inference.GRPCInferenceService').ModelInfer
      ?.requestSerialize;
    if (serialize === undefined) throw new Error('there is no ModelInfer');
    let calls = 0;
    const judge = async (input: Buffer): Promise<Verdict> => {
      try {
        await client.sendBytes('ModelInfer', input);
        return ACCEPTED;
      } catch (error) {
        const { code, details } = error as ServiceError;
        if (gateway.end !== undefined) return { kind: 'finding', reason: gateway.end };
        return FAULTS.has(code) && !details.startsWith('the message is no ')
          ? { kind: 'finding', reason: `answered ${status[code]}: ${details}` }
          : { kind: 'refused', as: status[code] };
      }
    };
    return {
      seeds: [
        inferRequest(),
        inferRequest({
          id: 'a',
          parameters: { priority: { int64_param: '1' } },
          outputs: [{ name: 'OUTPUT' }],
        }),
        {
          model_name: 'simple',
          inputs: [
            { name: 'INPUT', datatype: 'FP32', shape: [1, 4], contents: { fp32_contents: [1, 2, 3, 4] } },
          ],
        },
        {
          model_name: 'integers',
          inputs: [
            { name: 'INPUT', datatype: 'INT64', shape: [1, 2], contents: { int64_contents: ['1', '-2'] } },
          ],
        },
        {
          model_name: 'text',
          inputs: [
            {
              name: 'INPUT',
              datatype: 'BYTES',
              shape: [1, 2],
              contents: { bytes_contents: [Buffer.from('a'), Buffer.from('b')] },
            },
          ],
        },
      ].map((message) => serialize(message)),
      tokens: [
        'simple',
        'text',
        'INPUT',
        'FP32',
        'BYTES',
        '\u0008\u0001',
        '\u00ff\u00ff\u00ff\u00ff\u000f',
        '\u0012\u0000',
      ],
      concurrency: 24,
      async attempt(input) {
        const [verdict, wrong] = await Promise.all([
          judge(input),
          calls++ % 8 === 0 ? gateway.checkCanary() : undefined,
        ]);
        return wrong === undefined ? verdict : { kind: 'finding', reason: wrong };
      },
      memoryBytes: () => gateway.memoryBytes(),
      async [Symbol.asyncDispose]() {
        client[Symbol.dispose]();
        await release();
      },
    };
  },
};
