import { Metadata } from '@grpc/grpc-js';
import type { handleUnaryCall } from '@grpc/grpc-js';
import type { Gateway } from '../../gateway.ts';
import { describeAnswer } from '../answer-headers.ts';
import { REQUEST_ID } from '../edge/request-id.ts';
import type { CallAdmission } from './call-admission.ts';
import { callerOf, inferCall, requestIdOf } from './grpc-call.ts';
import { readInferMessage } from './infer-message.ts';
import { readGrpcRequest } from './infer-request.ts';
import { writeInferResponse } from './infer-response.ts';
import { toGatewayError, toStatus } from './status.ts';

/** ModelInfer: one request, one answer; the answer's headers are its initial metadata. */
export function modelInfer(
  { pipeline, log }: Gateway,
  calls: CallAdmission,
): handleUnaryCall<Buffer, Buffer> {
  const infer: (...call: Parameters<handleUnaryCall<Buffer, Buffer>>) => Promise<void> = async (
    call,
    answer,
  ) => {
    try {
      const { principal } = calls.of(call);
      const message = readInferMessage(call.request);
      const answered = await pipeline.infer(inferCall(callerOf(call), message, principal), {
        decode: () => readGrpcRequest(message),
        decodeUnrouted: () => readGrpcRequest(message),
        encode: (read, { outputs }, { version }) => writeInferResponse(read, version.about, outputs),
      });
      const metadata = new Metadata();
      describeAnswer({ header: metadata.set.bind(metadata) }, answered);
      const requestId = requestIdOf(call.metadata);
      if (requestId !== undefined) metadata.set(REQUEST_ID, requestId);
      call.sendMetadata(metadata);
      answer(null, answered.encoded);
    } catch (error) {
      answer(toStatus(toGatewayError(error, log)));
    }
  };
  return (call, answer) => void infer(call, answer);
}
