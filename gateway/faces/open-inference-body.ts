import type { FastifyReply, FastifyRequest } from 'fastify';
import { COMPRESS_FROM_BYTES, compress, wantedCoding } from './content-coding.ts';
import { invalid } from '../json-values.ts';
import { LongV2Response } from '../open-inference/long-response.ts';
import type { V2Response } from '../open-inference/written-response.ts';

/** Sends an answer, compressed where it is worth it and the caller can read it. */
export function sendV2Response(
  request: FastifyRequest,
  reply: FastifyReply,
  response: V2Response | LongV2Response,
): void | Promise<void> {
  if (response instanceof LongV2Response)
    return response
      .written(() => !reply.raw.destroyed)
      .then((written) => (written === undefined ? undefined : sendV2Response(request, reply, written)));
  const { body, jsonBytes } = response;
  reply.type(jsonBytes === undefined ? 'application/json; charset=utf-8' : 'application/octet-stream');
  if (jsonBytes !== undefined) reply.header('inference-header-content-length', jsonBytes);
  if (body.length < COMPRESS_FROM_BYTES) {
    void reply.send(body);
    return undefined;
  }
  reply.header('vary', 'accept-encoding');
  const coding = wantedCoding(request.headers['accept-encoding']);
  if (coding === undefined) {
    void reply.send(body);
    return undefined;
  }
  reply.header('content-encoding', coding);
  return compress(body, coding).then((compressed) => {
    void reply.send(compressed);
  });
}

/**
 * Bytes of JSON at the start of the body, before the binary data; undefined: all of it is JSON.
 *
 * @throws GatewayError
 */
export function jsonBytesOf(request: FastifyRequest): number | undefined {
  const text = request.headers['inference-header-content-length'];
  if (text === undefined) return undefined;
  if (typeof text !== 'string' || !/^[0-9]{1,12}$/.test(text)) {
    throw invalid(
      `Inference-Header-Content-Length is '${String(text).slice(0, 64)}'; expected a number of bytes`,
    );
  }
  return Number(text);
}
