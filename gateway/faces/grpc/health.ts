import { status } from '@grpc/grpc-js';
import type { UntypedServiceImplementation, handleServerStreamingCall, handleUnaryCall } from '@grpc/grpc-js';
import type { Gateway } from '../../gateway.ts';
import { INFERENCE } from './definitions.ts';
import type { OpenStreams } from './open-streams.ts';

interface CheckRequest {
  readonly service: string;
}

interface CheckResponse {
  readonly status: 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';
}

/** `grpc.health.v1.Health`: the gateway as a whole, and the inference service, which are ready together. */
export function healthService(gateway: Gateway, open: OpenStreams): UntypedServiceImplementation {
  const statusOf = (service: string): CheckResponse => {
    if (service !== '' && service !== INFERENCE.name) return { status: 'SERVICE_UNKNOWN' };
    return { status: gateway.readiness.isReady ? 'SERVING' : 'NOT_SERVING' };
  };
  const check: handleUnaryCall<CheckRequest, CheckResponse> = ({ request }, answer) => {
    const found = statusOf(request.service);
    if (found.status === 'SERVICE_UNKNOWN') {
      const details = `unknown service '${request.service.slice(0, 64)}'; known: '' and '${INFERENCE.name}'`;
      answer({ code: status.NOT_FOUND, details });
    } else answer(null, found);
  };
  const watch: handleServerStreamingCall<CheckRequest, CheckResponse> = (call) => {
    const tell = (): void => {
      call.write(statusOf(call.request.service));
    };
    const stop = (): void => {
      call.end();
    };
    tell();
    const forget = gateway.readiness.onChange(tell);
    open.add(stop);
    call.once('cancelled', () => {
      forget();
      open.delete(stop);
    });
  };
  return { Check: check, Watch: watch };
}
