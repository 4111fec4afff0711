import { TraceFlags } from '@opentelemetry/api';
import type { SpanContext } from '@opentelemetry/api';
import { TraceState, parseTraceParent } from '@opentelemetry/core';
import { RandomIdGenerator } from '@opentelemetry/sdk-trace';

/**
 * Who a request is to those who trace it: the trace that its caller began, or one of its own. Ids are made when somebody
 * asks for them, which most requests come without.
 */
export class TraceIdentity {
  /** The caller's span; undefined where it sent none, or none that can be read. */
  readonly parent: SpanContext | undefined;
  /** Whether the caller, or else chance, wants it recorded. */
  readonly isSampled: boolean;
  #traceId: string | undefined;
  #spanId: string | undefined;

  /**
   * @param traceparent W3C Trace Context's header, as it was sent
   * @param tracestate its companion
   * @param isDrawn whether a request without a parent is recorded
   */
  constructor(traceparent: string | undefined, tracestate: string | undefined, isDrawn: () => boolean) {
    const parent = traceparent === undefined ? null : parseTraceParent(traceparent);
    if (parent !== null && tracestate !== undefined) parent.traceState = new TraceState(tracestate);
    this.parent = parent ?? undefined;
    this.isSampled = parent === null ? isDrawn() : (parent.traceFlags & TraceFlags.SAMPLED) !== 0;
  }

  get traceId(): string {
    return (this.#traceId ??= this.parent?.traceId ?? RANDOM.generateTraceId());
  }

  get spanId(): string {
    return (this.#spanId ??= RANDOM.generateSpanId());
  }

  /**
   * The header for whoever is called in this request's name.
   *
   * @param isRecorded whether it is known already that the request is recorded
   */
  traceparent(isRecorded: boolean): string {
    return `00-${this.traceId}-${this.spanId}-0${isRecorded ? '1' : '0'}`;
  }
}

const RANDOM = new RandomIdGenerator();
