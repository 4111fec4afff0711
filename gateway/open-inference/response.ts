import { versionText } from '../../backends/servable.ts';
import type { VersionDescription } from '../../backends/servable.ts';
import type { Tensor } from '../../backends/tensor/tensor.ts';
import { classify } from './classification.ts';
import { LongV2Response } from './long-response.ts';
import { LongTensor, isLongAsJson } from './long-tensor.ts';
import { tensorToBytes } from './tensor-binary.ts';
import { tensorToJson } from './tensor-json.ts';
import type { V2Request } from './request.ts';
import type { V2Response } from './written-response.ts';

/** What an answer needs to know of the version that gave it. */
export type AnsweringVersion = Pick<
  VersionDescription,
  'model' | 'version' | 'labels' | 'outputLabels' | 'maxBatchSize'
>;

/** The output itself, or the classes that are wanted in its place. */
export function asWanted(
  output: Tensor,
  classesByOutput: ReadonlyMap<string, number>,
  version: AnsweringVersion,
): Tensor {
  const classes = classesByOutput.get(output.name);
  return classes === undefined ? output : classify(output, classes, version);
}

/**
 * Writes an answer, each output as JSON or as binary data, as the request wants it; one with many numbers as JSON is written later, in turns.
 *
 * @throws GatewayError `non_finite_output`
 */
export function writeV2Response(
  request: V2Request,
  model: AnsweringVersion,
  outputs: readonly Tensor[],
): V2Response | LongV2Response {
  const chunks: Uint8Array[] = [];
  const described = outputs.map((output) => {
    const tensor = asWanted(output, request.classesByOutput, model);
    const { name, datatype, shape } = tensor;
    const binary = request.binaryByOutput.get(name) ?? request.binaryOutput;
    if (!binary)
      return isLongAsJson(tensor)
        ? new LongTensor(tensor)
        : { name, datatype, shape, data: tensorToJson(tensor) };
    const bytes = tensorToBytes(tensor);
    chunks.push(bytes);
    return { name, datatype, shape, parameters: { binary_data_size: bytes.length } };
  });
  const about = { model_name: model.model, model_version: versionText(model), id: request.id };
  if (described.some((output) => output instanceof LongTensor))
    return new LongV2Response(about, described, chunks.length === 0 ? undefined : Buffer.concat(chunks));
  const json = JSON.stringify({ ...about, outputs: described });
  if (chunks.length === 0) return { body: json, jsonBytes: undefined };
  const head = Buffer.from(json);
  return { body: Buffer.concat([head, ...chunks]), jsonBytes: head.length };
}
