import { SpanStatusCode } from '@opentelemetry/api';
import type { Context, SpanContext, Tracer } from '@opentelemetry/api';
import type { InferAnswer } from '../../../backends/inference.ts';
import type { MirrorOutcome } from '../metrics.ts';

/** A copy of a request that a shadow was sent. Times are in `performance.now()` milliseconds. */
export interface MirroredCopy {
  readonly experiment: string;
  /** The shadow's name. */
  readonly variant: string;
  readonly model: string;
  readonly version: number;
  readonly result: MirrorOutcome;
  readonly startMs: number;
  readonly endMs: number;
  /** Undefined where there was no answer. */
  readonly answer: Pick<InferAnswer, 'queueMs' | 'computeMs' | 'batchId' | 'batchRows' | 'cache'> | undefined;
}

/**
 * Writes the span of a copy: under its request, though it begins when that has its answer.
 *
 * @param within the request's span
 * @param epochMs milliseconds since 1970 of a moment of `performance.now()`
 */
export function writeMirrorSpan(
  tracer: Tracer,
  within: Context,
  { experiment, variant, model, version, result, startMs, endMs, answer }: MirroredCopy,
  epochMs: (ms: number) => number,
): SpanContext {
  const span = tracer.startSpan(
    `mirror ${variant}`,
    {
      startTime: epochMs(startMs),
      attributes: {
        'feature_flag.key': experiment,
        'feature_flag.provider.name': 'signalbox',
        'feature_flag.result.variant': variant,
        'signalbox.model': model,
        'signalbox.version': String(version),
        'signalbox.mirror.result': result,
        ...(answer !== undefined && {
          'signalbox.queue_ms': answer.queueMs,
          'signalbox.compute_ms': answer.computeMs,
          'signalbox.batch.id': answer.batchId,
          'signalbox.batch.rows': answer.batchRows,
        }),
      },
    },
    within,
  );
  if (result === 'failed') span.setStatus({ code: SpanStatusCode.ERROR });
  span.end(epochMs(endMs));
  return span.spanContext();
}
