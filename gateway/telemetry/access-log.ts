import type { Logger } from 'pino';
import { routineLines } from './log-sink.ts';
import type { RecordedRequest } from './recorded-request.ts';
import type { TraceIdentity } from './tracing/trace-identity.ts';

/** Writes a line for each request, or for a share of them; nothing that a caller sent stands in it but the names it asked for by. */
export class AccessLog {
  readonly #write: (line: AccessLine) => void;
  readonly #share: number;
  readonly #random: () => number;

  /**
   * @param share of the requests, 0 to 1
   * @param random from 0 to 1, without 1
   */
  constructor(log: Logger, share: number, random: () => number) {
    this.#write = routineLines(log, 'request');
    this.#share = share;
    this.#random = random;
  }

  record(request: RecordedRequest, identity: TraceIdentity | undefined): void {
    if (this.#share < 1 && this.#random() >= this.#share) return;
    const { call, target, outcome, error, predictionId, times, endMs } = request;
    const { labels, choice } = target ?? {};
    const { id: key } = call.principal;
    // What is undefined has no place in the line.
    this.#write({
      protocol: call.protocol,
      model: labels?.model,
      version: labels?.version,
      experiment: choice?.experiment.key,
      variant: choice?.variant.name,
      reason: choice?.reason,
      outcome,
      code: error?.code,
      total_ms: rounded(endMs - call.arrivalMs),
      queue_ms: times && rounded(times.queueMs),
      compute_ms: times && rounded(times.computeMs),
      prediction_id: predictionId,
      request_id: call.header('x-request-id'),
      key: key === '' ? undefined : key,
      trace_id: identity?.traceId,
      span_id: identity?.spanId,
    });
  }
}

/** What a line tells, in its order. */
interface AccessLine {
  readonly protocol: string;
  readonly model: string | undefined;
  readonly version: string | undefined;
  readonly experiment: string | undefined;
  readonly variant: string | undefined;
  readonly reason: string | undefined;
  readonly outcome: string;
  readonly code: string | undefined;
  readonly total_ms: number;
  readonly queue_ms: number | undefined;
  readonly compute_ms: number | undefined;
  readonly prediction_id: string | undefined;
  readonly request_id: string | undefined;
  readonly key: string | undefined;
  readonly trace_id: string | undefined;
  readonly span_id: string | undefined;
}

/** To the microsecond. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
