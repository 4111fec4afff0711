import type { Logger } from 'pino';
import type { RecordedRequest } from './recorded-request.ts';
import type { TraceIdentity } from './tracing/trace-identity.ts';

/** Writes a line for each request, or for a share of them; nothing that a caller sent stands in it but the names it asked for by. */
export class AccessLog {
  readonly #log: Logger;
  readonly #share: number;
  readonly #random: () => number;

  /**
   * @param share of the requests, 0 to 1
   * @param random from 0 to 1, without 1
   */
  constructor(log: Logger, share: number, random: () => number) {
    this.#log = log;
    this.#share = share;
    this.#random = random;
  }

  record(request: RecordedRequest, identity: TraceIdentity | undefined): void {
    if (this.#random() >= this.#share) return;
    const { call, target, outcome, error, predictionId, times, endMs } = request;
    const choice = target?.choice;
    this.#log.info(
      {
        protocol: call.protocol,
        ...(target !== undefined && { model: target.labels.model, version: target.labels.version }),
        ...(choice !== undefined && {
          experiment: choice.experiment.key,
          variant: choice.variant.name,
          reason: choice.reason,
        }),
        outcome,
        ...(error !== undefined && { code: error.code }),
        total_ms: rounded(endMs - call.arrivalMs),
        ...(times !== undefined && {
          queue_ms: rounded(times.queueMs),
          compute_ms: rounded(times.computeMs),
        }),
        ...(predictionId !== undefined && { prediction_id: predictionId }),
        ...(call.principal.id !== '' && { key: call.principal.id }),
        ...(identity !== undefined && { trace_id: identity.traceId, span_id: identity.spanId }),
      },
      'request',
    );
  }
}

/** To the microsecond. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
