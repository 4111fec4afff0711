import { versionText } from '../../../backends/servable.ts';
import type { Tensor } from '../../../backends/tensor/tensor.ts';
import { asWanted } from '../../open-inference/response.ts';
import type { AnsweringVersion } from '../../open-inference/response.ts';
import { tensorToBytes } from '../../open-inference/tensor-binary.ts';
import type { GrpcRequest } from './infer-request.ts';
import { WireWriter } from './wire-writer.ts';

/** What a message takes beside its tensors, roughly. */
const HEAD_BYTES = 512;

/** A parameter of an answer: text, or a flag. */
export type AnswerParameters = Readonly<Record<string, string | boolean>>;

/** Writes a ModelInferResponse, with all outputs as raw bytes, as Triton does. */
export function writeInferResponse(
  request: Pick<GrpcRequest, 'id' | 'classesByOutput'>,
  version: AnsweringVersion,
  outputs: readonly Tensor[],
  parameters: AnswerParameters = {},
): Buffer {
  const tensors = outputs.map((output) => asWanted(output, request.classesByOutput, version));
  const contents = tensors.map(tensorToBytes);
  const contentBytes = contents.reduce((sum, { length }) => sum + length, 0);
  const message = new WireWriter(contentBytes + HEAD_BYTES);
  message.text(1, version.model);
  message.text(2, versionText(version));
  message.text(3, request.id);
  for (const [name, value] of Object.entries(parameters)) message.message(4, parameter(name, value));
  for (const { name, datatype, shape } of tensors) {
    const output = new WireWriter();
    output.text(1, name);
    output.text(2, datatype);
    output.packedVarints(3, shape);
    message.message(5, output);
  }
  for (const bytes of contents) message.bytes(6, bytes);
  return message.written();
}

/** Writes a ModelStreamInferResponse that carries an answer. */
export function writeStreamResponse(response: Uint8Array): Buffer {
  const message = new WireWriter(response.length + HEAD_BYTES);
  message.bytes(2, response);
  return message.written();
}

/** Writes a ModelStreamInferResponse that says why there is none, with the request's id. */
export function writeStreamError(error: string, id: string, parameters: AnswerParameters = {}): Buffer {
  const response = new WireWriter();
  response.text(3, id);
  for (const [name, value] of Object.entries(parameters)) response.message(4, parameter(name, value));
  const message = new WireWriter();
  message.text(1, error);
  message.message(2, response);
  return message.written();
}

/** An entry of a map of InferParameters. */
function parameter(name: string, value: string | boolean): WireWriter {
  const choice = new WireWriter();
  if (typeof value === 'boolean') choice.flag(1, value);
  else choice.bytes(3, Buffer.from(value));
  const entry = new WireWriter();
  entry.text(1, name);
  entry.message(2, choice);
  return entry;
}
