/** Spans as the OpenTelemetry Collector reads them: a receiver that others made. */
import { describe, expect, test } from 'vitest';
import { identityModel } from '../../../models/onnx-graph.ts';
import { findOtelCollector, startOtelCollector } from '../../../servers/otel-collector.ts';
import type { RunningCollector } from '../../../servers/otel-collector.ts';
import type { ReceivedSpan } from '../../../servers/otlp-receiver.ts';
import { GrpcClient, inferRequest } from '../../faces/grpc/grpc-client.ts';
import { eventually, experimentFile, startGateway } from '../../running-gateway.ts';

const CALLERS = {
  first: { trace: '0af7651916cd43dd8448eb211c80319c', span: 'b7ad6b7169203331' },
  again: { trace: '1bf7651916cd43dd8448eb211c80319d', span: 'c7ad6b7169203332' },
  copied: { trace: '3df7651916cd43dd8448eb211c80319f', span: 'e7ad6b7169203334' },
  grpc: { trace: '2cf7651916cd43dd8448eb211c80319e', span: 'd7ad6b7169203333' },
} as const;

const body = (value: number): string =>
  JSON.stringify({
    inputs: [{ name: 'INPUT', shape: [1, 4], datatype: 'FP32', data: [value, 2, 3, 4] }],
  });

const traceparent = ({ trace, span }: (typeof CALLERS)[keyof typeof CALLERS]): string =>
  `00-${trace}-${span}-01`;

const found = await findOtelCollector();

describe.skipIf(found.kind === 'missing')(
  `the OpenTelemetry Collector (${found.kind === 'missing' ? found.reason : found.program})`,
  () => {
    async function spansOf(
      { spans }: RunningCollector,
      trace: string,
      names: readonly string[],
    ): Promise<readonly ReceivedSpan[]> {
      const ofTrace = (): readonly ReceivedSpan[] => spans.filter(({ traceId }) => traceId === trace);
      await eventually(() => names.every((name) => ofTrace().some((span) => span.name === name)));
      return ofTrace();
    }

    test('takes every span of a request: its stages, its look for a kept answer, its batch, and its copy to a shadow', async () => {
      await using collector = await startOtelCollector(found.kind === 'found' ? found.program : '');
      await using gateway = await startGateway({
        grpc: true,
        config: `telemetry: { otlp: { endpoint: "${collector.endpoint}", serviceName: digits-gateway }, sampleRatio: 0 }`,
        files: {
          'models/digits/1/model.onnx': identityModel(),
          'models/digits/2/model.onnx': identityModel(),
          'models/digits/config.yaml': 'response_cache: { enable: true }',
          'experiments/a.yaml': experimentFile({
            variants: [
              { name: 'v1', version: 1, weight: 1 },
              { name: 'v2', version: 2, weight: 0 },
            ],
            mirror: { variant: 'v2' },
          }),
        },
      });
      const infer = (caller: (typeof CALLERS)[keyof typeof CALLERS], value = 1): Promise<Response> =>
        fetch(gateway.url('/v2/models/digits/infer'), {
          method: 'POST',
          headers: { traceparent: traceparent(caller), tracestate: 'other=1' },
          body: body(value),
        });
      expect((await infer(CALLERS.first)).headers.get('x-cache')).toBe('miss');
      expect((await infer(CALLERS.again)).headers.get('x-cache')).toBe('hit');
      using client = new GrpcClient(gateway.server.bound.grpc ?? '');
      await client.call('ModelInfer', inferRequest({ model_name: 'digits', model_version: '2' }), {
        traceparent: traceparent(CALLERS.grpc),
      });

      const STAGES = ['admit', 'route', 'decode', 'cache', 'queue', 'run', 'encode'];
      const spans = await spansOf(collector, CALLERS.first.trace, ['infer digits', ...STAGES]);
      const named = (name: string): ReceivedSpan =>
        spans.find((span) => span.name === name) ?? expect.fail(`no span ${name}`);
      const root = named('infer digits');
      expect(root).toMatchObject({
        parentId: CALLERS.first.span,
        kind: 2,
        resource: { 'service.name': 'digits-gateway' },
        attributes: { 'signalbox.outcome': 'ok', 'feature_flag.result.variant': 'v1' },
      });
      for (const name of STAGES) expect([name, named(name).parentId]).toEqual([name, root.spanId]);
      expect(named('cache').attributes).toEqual({ 'signalbox.cache.result': 'miss' });
      // One after the other, to the fraction of a nanosecond that a number has of a time.
      const order = STAGES.map(named);
      for (const [index, { startMs, name }] of order.entries()) {
        const before = order[index - 1];
        if (before !== undefined) expect([name, startMs - before.endMs > -0.01]).toEqual([name, true]);
      }

      // Copies are sent from spare capacity only, which a busy machine may not have at once.
      const copies = (): readonly ReceivedSpan[] =>
        collector.spans.filter(
          ({ name, traceId }) => name === 'mirror v2' && traceId === CALLERS.copied.trace,
        );
      let value = 2;
      await eventually(async () => {
        await infer(CALLERS.copied, value++);
        return copies().length > 0;
      });
      const mirror = copies()[0] ?? expect.fail('no copy');
      expect(mirror.attributes).toMatchObject({
        'feature_flag.key': 'digits-cnn',
        'feature_flag.result.variant': 'v2',
        'signalbox.version': '2',
        'signalbox.mirror.result': expect.stringMatching(/^(agree|compared)$/) as string,
      });
      await eventually(() => collector.spans.some(({ spanId }) => spanId === mirror.parentId));
      const copied = collector.spans.find(({ spanId }) => spanId === mirror.parentId);
      expect(copied?.name).toBe('infer digits');
      // A copy keeps nobody waiting.
      expect(mirror.startMs).toBeGreaterThanOrEqual((copied?.endMs ?? 0) - 0.01);

      const again = await spansOf(collector, CALLERS.again.trace, ['infer digits', 'encode']);
      // Spans come as they end: the request's own comes last.
      expect(again.map(({ name }) => name).filter((name) => !name.startsWith('mirror'))).toEqual([
        ...STAGES.filter((name) => name !== 'queue' && name !== 'run'),
        'infer digits',
      ]);
      expect(again.find(({ name }) => name === 'cache')?.attributes).toEqual({
        'signalbox.cache.result': 'hit',
      });

      const overGrpc = await spansOf(collector, CALLERS.grpc.trace, ['infer digits', 'run']);
      expect(overGrpc.find(({ name }) => name === 'infer digits')).toMatchObject({
        parentId: CALLERS.grpc.span,
        attributes: { 'network.protocol.name': 'grpc' },
      });

      await gateway.server.stop();
      // Each batch stands in a trace of its own, linked to whatever ran in it: requests, and copies of them.
      const ran = [named('run'), ...overGrpc.filter(({ name }) => name === 'run')].map(
        ({ spanId }) => spanId,
      );
      await eventually(() => {
        const links = collector.spans
          .filter(({ name, parentId }) => name === 'batch digits' && parentId === '')
          .flatMap(({ links }) => links.map(({ spanId }) => spanId));
        return [...ran, mirror.spanId].every((spanId) => links.includes(spanId));
      });
    });
  },
);
