import { ROOT_CONTEXT, TraceFlags, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { AlwaysOnSampler, RandomIdGenerator, TracerProvider } from '@opentelemetry/sdk-trace';
import type { IdGenerator } from '@opentelemetry/sdk-trace';
import type { OtlpConfig } from '../../config/tracing-config.ts';
import type { Call } from '../../pipeline/call.ts';
import { RELEASE } from '../../release.ts';
import { BatchSpans } from './batch-spans.ts';
import type { RecordedRequest } from '../recorded-request.ts';
import { countedDelivery } from './counted-delivery.ts';
import { writeMirrorSpan } from './mirror-span.ts';
import type { MirroredCopy } from './mirror-span.ts';
import { writeRequestSpans } from './request-spans.ts';
import { TraceIdentity } from './trace-identity.ts';

export interface TracingOptions {
  readonly otlp: OtlpConfig;
  /** Of the requests whose callers don't say, those that are recorded; 0 to 1. */
  readonly sampleRatio: number;
  /** Told of spans that could not be delivered. */
  readonly onDrop: (count: number, reason: string) => void;
}

/**
 * Traces requests by OpenTelemetry: spans are written when a request is over, from the times it left. So a request that turns
 * out to have failed, or whose variant was forced, is recorded whatever chance said, and one that isn't recorded costs next
 * to nothing.
 */
export class Tracing {
  readonly #ids = new PlannedIds();
  readonly #provider: TracerProvider;
  readonly #tracer: ReturnType<TracerProvider['getTracer']>;
  readonly #batches: BatchSpans;
  readonly #sampleRatio: number;

  constructor({ otlp, sampleRatio, onDrop }: TracingOptions) {
    const exporter = new OTLPTraceExporter({
      url: new URL('v1/traces', otlp.endpoint).href,
      headers: { ...otlp.headers },
      timeoutMillis: DELIVER_WITHIN_MS,
    });
    this.#provider = new TracerProvider({
      resource: resourceFromAttributes({ 'service.name': otlp.serviceName, 'service.version': RELEASE }),
      // What is written was chosen before.
      sampler: new AlwaysOnSampler(),
      idGenerator: this.#ids,
      spanProcessors: [countedDelivery(exporter, onDrop)],
    });
    this.#tracer = this.#provider.getTracer('signalbox', RELEASE);
    this.#batches = new BatchSpans(this.#tracer);
    this.#sampleRatio = sampleRatio;
  }

  /** Who a request is, before anything is known of it. */
  identify({ header }: Call): TraceIdentity {
    return new TraceIdentity(
      header('traceparent'),
      header('tracestate'),
      () => Math.random() < this.#sampleRatio,
    );
  }

  /**
   * Writes the spans of a request that is over, where they are wanted.
   *
   * @returns whether they are
   */
  record(identity: TraceIdentity, request: RecordedRequest): boolean {
    const { outcome, target, times, decodedMs } = request;
    const isOverride = target?.choice?.reason === 'override';
    if (!identity.isSampled && !isOverride && !ALWAYS.has(outcome)) return false;
    const root =
      identity.parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, identity.parent);
    this.#ids.plan(identity);
    const run = writeRequestSpans(this.#tracer, root, request, epochMs);
    this.#ids.plan(undefined);
    if (run === undefined || target === undefined || times === undefined || !('batchId' in times))
      return true;
    const { model, version } = target.labels;
    const { batchId, batchRows: rows, computeMs, queueMs, cacheMs = 0 } = times;
    this.#batches.add(batchId, run, {
      model,
      version,
      rows,
      startMs: epochMs(decodedMs + cacheMs + queueMs),
      computeMs,
    });
    return true;
  }

  /** Writes the span of a copy of a request whose own were written. */
  recordMirror({ traceId, spanId }: TraceIdentity, copy: MirroredCopy): void {
    const within = trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.SAMPLED });
    const span = writeMirrorSpan(this.#tracer, within, copy, epochMs);
    if (copy.answer === undefined || copy.answer.cache === 'hit') return;
    const { batchId, batchRows: rows, computeMs, queueMs } = copy.answer;
    this.#batches.add(batchId, span, {
      model: copy.model,
      version: String(copy.version),
      rows,
      startMs: epochMs(copy.startMs + queueMs),
      computeMs,
    });
  }

  /** Delivers what is written, as far as a receiver takes it, and ends. */
  async close(): Promise<void> {
    this.#batches.flush();
    // What was not taken is counted where it was tried; a receiver that is away is no reason to stop otherwise than well.
    await this.#provider.shutdown().catch(() => undefined);
  }
}

/** Recorded though nobody asked: somebody will. */
const ALWAYS: ReadonlySet<string> = new Set(['error', 'timeout']);

/** A delivery with all its retries, of which the last one is waited for when the gateway stops. */
const DELIVER_WITHIN_MS = 3000;

function epochMs(ms: number): number {
  return performance.timeOrigin + ms;
}

/** Gives the first span of a request the ids that others may have been told already. */
class PlannedIds implements IdGenerator {
  readonly #random = new RandomIdGenerator();
  #planned: TraceIdentity | undefined;
  #spanPlanned: TraceIdentity | undefined;

  plan(identity: TraceIdentity | undefined): void {
    this.#planned = identity;
    this.#spanPlanned = identity;
  }

  generateTraceId(): string {
    const planned = this.#planned;
    this.#planned = undefined;
    return planned?.traceId ?? this.#random.generateTraceId();
  }

  generateSpanId(): string {
    const planned = this.#spanPlanned;
    this.#spanPlanned = undefined;
    return planned?.spanId ?? this.#random.generateSpanId();
  }
}
