import type { ServerDuplexStream, handleBidiStreamingCall } from '@grpc/grpc-js';
import { GatewayError } from '../../errors.ts';
import type { Gateway } from '../../gateway.ts';
import type { BodyHold } from '../../overload/body-budget.ts';
import { describeTarget } from '../answer-headers.ts';
import { own } from '../../json-values.ts';
import { admit, callerOf, inferCall } from './grpc-call.ts';
import type { Caller } from './grpc-call.ts';
import { readInferMessage } from './infer-message.ts';
import { readGrpcRequest } from './infer-request.ts';
import { writeInferResponse, writeStreamError, writeStreamResponse } from './infer-response.ts';
import type { OpenStreams } from './open-streams.ts';
import { ROUTED_TO, ROUTED_WHY } from '../../pipeline/routed-headers.ts';
import { toGatewayError, toStatus } from './status.ts';

/** Requests of one stream that are under way at once; beyond, the stream is not read on. */
const MOST_UNDER_WAY = 64;

/**
 * ModelStreamInfer: the requests of a stream run side by side, and are answered in their order. What goes wrong with one is
 * said in its answer, and the stream goes on; with the metadata `triton_grpc_error: true` it ends the stream with a status.
 * Each request is routed for itself, and a stream has one set of headers only: so the prediction id, the experiment and the
 * variant stand in the answers' parameters.
 */
export function modelStreamInfer(
  gateway: Gateway,
  open: OpenStreams,
): handleBidiStreamingCall<Buffer, Buffer> {
  return (call) => {
    new InferenceStream(gateway, call, open).start();
  };
}

class InferenceStream {
  readonly #gateway: Gateway;
  readonly #call: ServerDuplexStream<Buffer, Buffer>;
  readonly #open: OpenStreams;
  readonly #caller: Caller;
  readonly #endsAtError: boolean;
  /** Settles when all answers so far have been written. */
  #written: Promise<void> = Promise.resolve();
  #underWay = 0;
  #isEnded = false;
  readonly #stop = (): void => {
    this.#call.pause();
    this.#endWhenAnswered(new GatewayError('model_unavailable', 'the gateway is stopping; call it again'));
  };

  constructor(gateway: Gateway, call: ServerDuplexStream<Buffer, Buffer>, open: OpenStreams) {
    this.#gateway = gateway;
    this.#call = call;
    this.#open = open;
    this.#caller = callerOf(call);
    this.#endsAtError = String(call.metadata.get('triton_grpc_error')[0]) === 'true';
  }

  start(): void {
    const call = this.#call;
    call.on('data', (bytes: Buffer) => {
      this.#take(bytes);
    });
    call.on('end', () => {
      this.#endWhenAnswered(undefined);
    });
    call.once('cancelled', () => {
      this.#isEnded = true;
      this.#open.delete(this.#stop);
      // Whoever waits for it to take more would wait for ever.
      call.emit('drain');
    });
    this.#open.add(this.#stop);
  }

  /** Starts on a request at once; its answer is written after those before it. */
  #take(bytes: Buffer): void {
    this.#underWay += 1;
    if (this.#underWay >= MOST_UNDER_WAY) this.#call.pause();
    const hold = this.#gateway.door.bodies.hold();
    const answer = this.#answer(bytes, hold);
    this.#written = this.#written.then(async () => {
      await this.#write(await answer);
      hold.release();
      this.#underWay -= 1;
      if (!this.#isEnded) this.#call.resume();
    });
  }

  /** The message that answers one request; an error where that ends the stream. Never rejects. */
  async #answer(bytes: Buffer, hold: BodyHold): Promise<Buffer | GatewayError> {
    const parameters: Record<string, string | boolean> = {};
    let id = '';
    let leave: (() => void) | undefined;
    try {
      hold.reserve(bytes.length);
      const admitted = await admit(this.#call, this.#gateway, 'infer', { spends: 'rows' });
      const { principal } = admitted;
      leave = admitted.leave;
      const message = readInferMessage(bytes);
      id = message.id;
      // Every answer here is its request's only one, and so the last.
      if (own(message.parameters, 'triton_enable_empty_final_response') === true)
        parameters.triton_final_response = true;
      const { encoded } = await this.#gateway.pipeline.infer(inferCall(this.#caller, message, principal), {
        decode: () => readGrpcRequest(message),
        decodeUnrouted: () => readGrpcRequest(message),
        encode: (read, { outputs, cache }, target, predictionId) => {
          parameters['x-prediction-id'] = predictionId;
          if (cache !== undefined) parameters['x-cache'] = cache;
          describeTarget({ header: (name, value) => (parameters[name] = value) }, target);
          return writeStreamResponse(writeInferResponse(read, target.version.about, outputs, parameters));
        },
      });
      return encoded;
    } catch (error) {
      const known = toGatewayError(error, this.#gateway.log);
      for (const name of [ROUTED_TO, ROUTED_WHY]) {
        const value = known.headers[name];
        if (value !== undefined) parameters[name] = value;
      }
      return this.#endsAtError ? known : writeStreamError(known.message, id, parameters);
    } finally {
      leave?.();
    }
  }

  async #write(answer: Buffer | GatewayError): Promise<void> {
    if (this.#isEnded) return;
    if (answer instanceof GatewayError) this.#end(answer);
    else if (!this.#call.write(answer)) await new Promise((resolve) => this.#call.once('drain', resolve));
  }

  #endWhenAnswered(error: GatewayError | undefined): void {
    void this.#written.then(() => {
      if (!this.#isEnded) this.#end(error);
    });
  }

  #end(error: GatewayError | undefined): void {
    this.#isEnded = true;
    this.#open.delete(this.#stop);
    // A stream of grpc-js takes its status as an event.
    if (error === undefined) this.#call.end();
    else this.#call.emit('error', toStatus(error));
  }
}
