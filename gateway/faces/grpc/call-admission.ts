import { ServerInterceptingCall } from '@grpc/grpc-js';
import type { Metadata, ServerInterceptor } from '@grpc/grpc-js';
import type { Gateway } from '../../gateway.ts';
import type { Admitted, Spends } from '../../trust/admission.ts';
import type { RouteScope } from '../../trust/scopes.ts';
import { admit } from './grpc-call.ts';
import type { GrpcServerCall } from './grpc-call.ts';
import { toGatewayError, toStatus } from './status.ts';

/** What a method asks of its callers. */
export interface MethodAccess {
  readonly scope: RouteScope;
  /** What a call takes from its caller's limits; left out: one. */
  readonly spends?: Spends;
  /** Each message of a stream is admitted for itself; before the first is read, its caller has to be one who could be. */
  readonly isStream?: true;
}

/** Admits calls by their metadata: whoever isn't let in is told so before their message is read. */
export class CallAdmission {
  readonly #admitted = new WeakMap<Metadata, Admitted>();
  readonly #gateway: Gateway;
  readonly #accessOf: ReadonlyMap<string, MethodAccess>;

  /** @param accessOf by path, as `/inference.GRPCInferenceService/ModelInfer`; everybody may call the others */
  constructor(gateway: Gateway, accessOf: ReadonlyMap<string, MethodAccess>) {
    this.#gateway = gateway;
    this.#accessOf = accessOf;
  }

  /** Whose call it is. */
  of({ metadata }: Pick<GrpcServerCall, 'metadata'>): Admitted {
    const admitted = this.#admitted.get(metadata);
    if (admitted === undefined) throw new Error('a call came to its method without having been admitted');
    return admitted;
  }

  /** To be given to gRPC's server. Its call ends once in every case, with `onCancel`: what was taken is given back there. */
  readonly interceptor: ServerInterceptor = ({ path }, call) => {
    const access = this.#accessOf.get(path);
    if (access === undefined) return new ServerInterceptingCall(call);
    const gateway = this.#gateway;
    let isOver = false;
    let leave: (() => void) | undefined;
    return new ServerInterceptingCall(call, {
      start: (next) => {
        next({
          onReceiveMetadata: (metadata, pass) => {
            const welcome = (admitted: Admitted): void => {
              // A caller who is gone, and a stream that has sent nothing yet, have nothing under way.
              if (isOver || access.isStream === true) admitted.leave?.();
              else leave = admitted.leave;
              this.#admitted.set(metadata, admitted);
              pass(metadata);
            };
            const refuse = (error: unknown): void => {
              call.sendStatus(toStatus(toGatewayError(error, gateway.log)));
            };
            try {
              const caller = { metadata, getPeer: () => call.getPeer() };
              const admitting = admit(caller, gateway, access.scope, { spends: access.spends ?? 'one' });
              if (admitting instanceof Promise) admitting.then(welcome, refuse);
              else welcome(admitting);
            } catch (error) {
              refuse(error);
            }
          },
          onCancel: () => {
            isOver = true;
            leave?.();
            leave = undefined;
          },
        });
      },
    });
  };
}
