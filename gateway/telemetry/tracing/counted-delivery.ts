import { ExportResultCode } from '@opentelemetry/core';
import { BatchSpanProcessor } from '@opentelemetry/sdk-trace';
import type { SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';

/** Spans that wait while the receiver is busy; one more is dropped. */
export const MAX_WAITING_SPANS = 2048;

/**
 * Gives spans to a receiver in batches. Every one that it doesn't get is counted: the package's processor drops in silence what comes while
 * too many wait.
 *
 * @param onDrop told of spans that could not be delivered
 */
export function countedDelivery(
  exporter: SpanExporter,
  onDrop: (count: number, reason: string) => void,
): SpanProcessor {
  let waiting = 0;
  const processor = new BatchSpanProcessor({
    exporter: {
      export(spans, done) {
        waiting -= spans.length;
        exporter.export(spans, (result) => {
          if (result.code !== ExportResultCode.SUCCESS)
            onDrop(spans.length, result.error?.message ?? 'not delivered');
          done(result);
        });
      },
      shutdown: () => exporter.shutdown(),
      forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    },
    scheduledDelayMillis: 1000,
    maxQueueSize: MAX_WAITING_SPANS,
  });
  return {
    onStart(span, context) {
      processor.onStart(span, context);
    },
    onEnd(span) {
      if (waiting >= MAX_WAITING_SPANS) {
        onDrop(1, 'spans came faster than they are received');
        return;
      }
      waiting += 1;
      processor.onEnd(span);
    },
    forceFlush: () => processor.forceFlush(),
    shutdown: () => processor.shutdown(),
  };
}
