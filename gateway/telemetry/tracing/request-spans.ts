import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { Attributes, Context, SpanContext, Tracer } from '@opentelemetry/api';
import type { RunTimes } from '../../pipeline/run-times.ts';
import { flagAttributes } from '../flag-attributes.ts';
import type { RecordedRequest } from '../recorded-request.ts';

/** What the caller can do nothing for. */
const FAULTS: ReadonlySet<string> = new Set(['error', 'timeout', 'shed']);

/**
 * Writes the spans of a request that is over: the request itself, and its stages under it.
 *
 * @param root where it stands: the caller's span, or nothing
 * @param epochMs milliseconds since 1970 of a moment of `performance.now()`
 * @returns the span of its run; undefined where it didn't get that far
 */
export function writeRequestSpans(
  tracer: Tracer,
  root: Context,
  request: RecordedRequest,
  epochMs: (ms: number) => number,
): SpanContext | undefined {
  const { call, target, times, error, outcome } = request;
  const decision = target?.choice && flagAttributes(target.choice);
  const span = tracer.startSpan(
    `infer ${target?.labels.model ?? ''}`.trimEnd(),
    {
      kind: SpanKind.SERVER,
      startTime: epochMs(call.arrivalMs),
      attributes: { ...attributesOf(request), ...decision },
    },
    root,
  );
  if (FAULTS.has(outcome)) {
    span.setStatus({ code: SpanStatusCode.ERROR, ...(error !== undefined && { message: error.message }) });
  }
  const within = trace.setSpan(root, span);
  const stage: Stage = (name, fromMs, toMs, attributes = {}) => {
    const part = tracer.startSpan(name, { startTime: epochMs(fromMs), attributes }, within);
    part.end(epochMs(Math.max(fromMs, toMs)));
    return part.spanContext();
  };
  const { startMs, routedMs, decodedMs, answeredMs, endMs } = request;
  stage('admit', call.arrivalMs, startMs);
  if (routedMs > 0) stage('route', startMs, routedMs, decision);
  if (decodedMs > 0) stage('decode', routedMs, decodedMs);
  let run: SpanContext | undefined;
  if (times !== undefined) {
    run = writeAnswering(stage, times, decodedMs, answeredMs);
    if (error === undefined) stage('encode', answeredMs, endMs);
  }
  span.end(epochMs(endMs));
  return run;
}

/** Writes the span of a part of a request, from times of `performance.now()`. */
type Stage = (name: string, fromMs: number, toMs: number, attributes?: Attributes) => SpanContext;

/** What came between a request that was read and its answer. */
function writeAnswering(
  stage: Stage,
  times: RunTimes,
  decodedMs: number,
  answeredMs: number,
): SpanContext | undefined {
  const answer = 'batchId' in times ? times : undefined;
  const { cache, cacheMs = 0 } = answer ?? {};
  // An upload is looked up before it is decoded.
  const lookedUpMs = Math.min(decodedMs + cacheMs, answeredMs);
  if (cache !== undefined)
    stage('cache', lookedUpMs - cacheMs, lookedUpMs, { 'signalbox.cache.result': cache });
  // A kept answer neither waited nor ran; of an equal request's run its own request tells.
  if (cache === 'hit') return undefined;
  const ranMs = lookedUpMs + times.queueMs;
  stage('queue', lookedUpMs, ranMs);
  return stage('run', ranMs, ranMs + times.computeMs, {
    ...(answer !== undefined && {
      'signalbox.batch.id': answer.batchId,
      'signalbox.batch.rows': answer.batchRows,
    }),
  });
}

function attributesOf({ call, target, predictionId, outcome, error }: RecordedRequest): Attributes {
  return {
    'network.protocol.name': call.protocol,
    'signalbox.outcome': outcome,
    ...(target !== undefined && {
      'signalbox.model': target.labels.model,
      'signalbox.version': target.labels.version,
    }),
    ...(predictionId !== undefined && { 'signalbox.prediction.id': predictionId }),
    ...(error !== undefined && { 'error.type': error.code }),
  };
}
