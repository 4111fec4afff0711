/** gRPC's library tells of a header that it can't read with all that stands in it, on stderr between the gateway's own lines. */
import { once } from 'node:events';
import { connect } from 'node:http2';
import { expect, test, vi } from 'vitest';
import { startGateway } from '../gateway/running-gateway.ts';
import { identityModel } from '../models/onnx-graph.ts';

test('a credential with a character that gRPC does not know stands in nobody’s log', async () => {
  const written = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  await using gateway = await startGateway({
    grpc: true,
    files: { 'models/simple/1/model.onnx': identityModel('FP32', ['batch', 4]) },
  });
  const session = connect(`http://${gateway.server.bound.grpc ?? ''}`);
  try {
    const call = session.request({
      ':method': 'POST',
      ':path': '/inference.GRPCInferenceService/ServerLive',
      'content-type': 'application/grpc',
      te: 'trailers',
      authorization: 'Bearer k\u00e4se',
      'x-api-key': 'k\u00e4se',
    });
    const answered = once(call, 'trailers') as Promise<[Record<string, string>]>;
    call.resume().end(Buffer.alloc(5));
    const [trailers] = await answered;
    expect(trailers['grpc-status']).toBe('0');
  } finally {
    session.destroy();
  }
  expect(written.mock.calls).toEqual([]);
  expect(gateway.log.join()).not.toContain('k\u00e4se');
});
