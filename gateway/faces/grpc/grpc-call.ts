import type { Metadata, ServerDuplexStream, ServerUnaryCall } from '@grpc/grpc-js';
import { headersRead } from '../../../experiments/headers-read.ts';
import { GatewayError } from '../../errors.ts';
import type { Gateway } from '../../gateway.ts';
import type { Call } from '../../pipeline/call.ts';
import type { Admitted, Spends } from '../../trust/admission.ts';
import { whyMisspelled } from '../../trust/ambiguous-headers.ts';
import { clientAddress } from '../../trust/client-address.ts';
import type { Principal } from '../../trust/principal.ts';
import type { RouteScope } from '../../trust/scopes.ts';
import { REQUEST_ID, checkedRequestId } from '../edge/request-id.ts';
import type { InferMessage } from './infer-message.ts';

/** A call of gRPC, of one request or of a stream of them. */
export type GrpcServerCall = ServerUnaryCall<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>;

/**
 * gRPC's own deadline timer counts in whole milliseconds and may be early: a call that it ends this close to the deadline ran
 * out of time, and wasn't cancelled by its caller.
 */
const TIMER_SLACK_MS = 2;

/** A caller at the other end of a call, who may hang up. */
export interface Caller {
  readonly metadata: Metadata;
  /** When it stops waiting, in `performance.now()` milliseconds; infinite where it didn't say. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

/** Watches a call for its end before the answer. */
export function callerOf(call: GrpcServerCall): Caller {
  const deadline = call.getDeadline();
  const deadlineMs = deadline === Infinity ? Infinity : performance.now() + Number(deadline) - Date.now();
  const controller = new AbortController();
  call.once('cancelled', () => {
    // Past the deadline the queue's own timer has the last word, so that it counts as a timeout.
    if (performance.now() < deadlineMs - TIMER_SLACK_MS) controller.abort('the caller hung up');
  });
  return { metadata: call.metadata, deadlineMs, signal: controller.signal };
}

/**
 * Lets a call in, or not; a stream asks for each of its messages.
 *
 * @throws GatewayError
 */
export function admit(
  call: Pick<GrpcServerCall, 'metadata' | 'getPeer'>,
  { door, config, experiments }: Pick<Gateway, 'door' | 'config' | 'experiments'>,
  scope: RouteScope,
  { model, spends }: { readonly model?: string | undefined; readonly spends?: Spends } = {},
): Admitted | Promise<Admitted> {
  const { metadata } = call;
  const header = (name: string): string | undefined => headerOf(metadata, name);
  const read = headersRead(experiments.current);
  for (const name in metadata.getMap()) {
    const misspelled = whyMisspelled(name, (known) => read.has(known));
    if (misspelled !== undefined) throw new GatewayError('invalid_request', misspelled);
  }
  requestIdOf(metadata);
  const address = addressOf(call, config);
  return door.admission.admit({ header, address, model }, scope, 'grpc', spends);
}

/** Where a call comes from, behind the proxies that are trusted. */
export function addressOf(
  call: Pick<GrpcServerCall, 'metadata' | 'getPeer'>,
  { server }: Pick<Gateway['config'], 'server'>,
): string {
  const peer = call.getPeer().replace(/:\d+$/, '');
  return clientAddress(peer, headerOf(call.metadata, 'x-forwarded-for'), server.trustedProxies);
}

/**
 * What a caller calls its request; undefined where it doesn't.
 *
 * @throws GatewayError
 */
export function requestIdOf(metadata: Metadata): string | undefined {
  const id = headerOf(metadata, REQUEST_ID);
  return id === undefined ? undefined : checkedRequestId(id);
}

function headerOf(metadata: Metadata, name: string): string | undefined {
  const values = metadata.get(name);
  return values.length === 0 ? undefined : values.map(String).join(', ');
}

/** The head of an inference over gRPC. */
export function inferCall(
  { metadata, deadlineMs, signal }: Caller,
  message: InferMessage,
  principal: Principal,
): Call {
  return {
    protocol: 'grpc',
    answerableBy: ['v2'],
    model: message.model,
    version: message.version === '' ? undefined : message.version,
    header: (name) => headerOf(metadata, name),
    principal,
    arrivalMs: performance.now(),
    receivedMs: performance.now(),
    deadlineMs,
    signal,
  };
}
