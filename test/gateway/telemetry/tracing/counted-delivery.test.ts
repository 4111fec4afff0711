import { ROOT_CONTEXT } from '@opentelemetry/api';
import { ExportResultCode } from '@opentelemetry/core';
import { TracerProvider } from '@opentelemetry/sdk-trace';
import { expect, test } from 'vitest';
import {
  MAX_WAITING_SPANS,
  countedDelivery,
} from '../../../../gateway/telemetry/tracing/counted-delivery.ts';

test('spans that come while the receiver is busy and too many wait are counted, and all others are given to it', async () => {
  const busy = Promise.withResolvers<undefined>();
  let [received, dropped] = [0, 0];
  const exporter = {
    export(spans: readonly unknown[], done: (result: { code: ExportResultCode }) => void): void {
      received += spans.length;
      void busy.promise.then(() => {
        done({ code: ExportResultCode.SUCCESS });
      });
    },
    shutdown: () => Promise.resolve(),
  };
  const provider = new TracerProvider({
    spanProcessors: [countedDelivery(exporter, (count) => (dropped += count))],
  });
  const tracer = provider.getTracer('test');
  const sent = 2 * MAX_WAITING_SPANS;
  for (let index = 0; index < sent; index += 1) tracer.startSpan('span', {}, ROOT_CONTEXT).end();
  expect(received).toBeGreaterThan(0);
  expect(dropped).toBe(sent - received - MAX_WAITING_SPANS);
  busy.resolve(undefined);
  await provider.shutdown();
  expect(received + dropped).toBe(sent);
});
