import { expect, test } from 'vitest';
import { startOtlpReceiver } from '../../servers/otlp-receiver.ts';
import { GrpcClient, inferRequest } from '../faces/grpc/grpc-client.ts';
import { send } from '../../security/raw-socket.ts';
import { BODY, infer, startUpstreamGateway } from './upstream-gateway.ts';
import { startVariantServer } from './variant-server.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const ASKED = inferRequest({
  model_name: 'digits',
  inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 1] }],
  raw_input_contents: [Buffer.from(Float32Array.of(7).buffer)],
});

test('an override is recorded whatever its caller says, and so tells the variant’s server to record it too', async () => {
  using receiver = await startOtlpReceiver();
  await using server = await startVariantServer();
  await using gateway = await startUpstreamGateway(server.url, {
    grpc: true,
    config: `telemetry: { otlp: { endpoint: "${receiver.endpoint}" }, sampleRatio: 0 }`,
  });
  using client = new GrpcClient(gateway.server.bound.grpc ?? '');
  const unsampled = { traceparent: `00-${TRACE}-b7ad6b7169203331-00` };
  const override = { ...unsampled, 'x-experiment': 'v3' };
  // The first two are passed on as they come, and the others are decoded.
  await infer(gateway, { headers: unsampled });
  await infer(gateway, { headers: override });
  await client.call('ModelInfer', ASKED, unsampled);
  await client.call('ModelInfer', ASKED, override);
  const flags = server.arrived.map(({ headers }) => {
    const [version, trace, span, flag] = String(headers.traceparent).split('-');
    return { version, trace, isCallers: span === 'b7ad6b7169203331', flag };
  });
  const passedOn = { version: '00', trace: TRACE, isCallers: false };
  expect(flags).toEqual(['00', '01', '00', '01'].map((flag) => ({ ...passedOn, flag })));
});

test('a context that is no ASCII goes there as it came, whoever encodes the request: it is no failure of the server’s', async () => {
  await using server = await startVariantServer();
  const rows = 'limits: { experiments: { digits-cnn: 5000/s }, shedding: { eventLoopDelay: 1h } }\n';
  for (const config of ['', rows]) {
    await using gateway = await startUpstreamGateway(server.url, { config });
    for (const name of ['traceparent', 'tracestate', 'baggage']) {
      const head = `host: a\r\nconnection: close\r\n${name}: user=猫\r\ncontent-length: ${BODY.length}`;
      const call = `POST /v2/models/digits/infer HTTP/1.1\r\n${head}\r\n\r\n${BODY}`;
      const { text } = await send(gateway.server.bound.http ?? '', Buffer.from(call));
      expect(text).toContain('x-experiment-reason: split');
      const arrived = server.arrived.at(-1)?.headers[name];
      expect(Buffer.from(String(arrived), 'latin1').toString()).toBe('user=猫');
    }
  }
});
